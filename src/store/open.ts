import { join, resolve } from 'node:path';
import { DATABASE_FILE, openDatabase, refusal } from './database/database.js';
import { lostDatabase } from './database/lost-database.js';
import { Store } from './store.js';
import { uptimeMs as systemUptime } from './database/uptime.js';

export { DATABASE_FILE } from './database/database.js';

export interface StoreOptions {
  dataDir: string;
  /** Unix time in milliseconds. */
  now: () => number;
  /** Time since boot, in milliseconds; the system's own by default. */
  uptimeMs?: (() => number) | undefined;
  /** Differs from boot to boot; if it is missing, a reboot is recognized by the uptime. */
  bootId?: string | undefined;
  /** Refuse a database that is missing or must be brought up to date, instead of making or changing it. */
  asItIs?: boolean | undefined;
}

/**
 * Opens the store of a data directory; makes or migrates its database.
 * @throws ExecgoError `internal` with a message for people: a newer database, a changed checksum, a damaged or read-only
 *   file, another owner. The file is left as it was.
 */
export function openStore(options: StoreOptions): Store {
  const { now, uptimeMs = systemUptime(), bootId = '', asItIs = false } = options;
  const dataDir = resolve(options.dataDir);
  const store = new Store(openDatabase(dataDir, now, asItIs), { wallMs: now, uptimeMs, bootId });
  const lost = !asItIs && store.events.last === 0 ? lostDatabase(dataDir, false) : undefined;
  if (lost === undefined) return store;
  store.close();
  throw refusal(join(dataDir, DATABASE_FILE), lost);
}
