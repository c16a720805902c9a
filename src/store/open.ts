import { resolve } from 'node:path';
import { openDatabase } from './database.js';
import { Store } from './store.js';

export { DATABASE_FILE } from './database.js';

export interface StoreOptions {
  dataDir: string;
  /** Unix time in milliseconds. */
  now: () => number;
}

/**
 * Opens the store of a data directory, making or migrating its database.
 * @throws ExecgoError `internal` with a message for people: a newer database, a changed checksum, a damaged or read-only
 * file, another owner. The file is left as it was.
 */
export function openStore(options: StoreOptions): Store {
  const dataDir = resolve(options.dataDir);
  return new Store(openDatabase(dataDir, options.now), dataDir, options.now);
}
