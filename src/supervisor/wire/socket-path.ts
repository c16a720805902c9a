import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { SUPERVISOR_FILES } from './protocol.js';

/** The kernel's own limit is 108 bytes with the final NUL on Linux, 104 elsewhere. */
const MAX_SOCKET_PATH_BYTES = 100;
/** Start of the name of the private directory that a socket gets elsewhere. */
const PREFIX = 'execgo-';

/** Where a supervisor listens. */
export interface SocketPlace {
  path: string;
  /** Removes what was made for it; the socket file itself goes when the server closes. */
  remove(): void;
}

/**
 * Chooses where the supervisor of `dir` listens: in that directory, or, where its path is too long, in a private directory
 * under the system's temporary one, which is then written down in `dir`.
 * @throws Error when neither can be made.
 */
export function makeSocketPlace(dir: string): SocketPlace {
  const path = join(dir, SUPERVISOR_FILES.socket);
  if (Buffer.byteLength(path) < MAX_SOCKET_PATH_BYTES) return { path, remove: () => undefined };
  const elsewhere = join(mkdtempSync(join(temporaryDir(), PREFIX)), SUPERVISOR_FILES.socket);
  // Whoever started it reads this again and again: all of it or nothing.
  const written = join(dir, SUPERVISOR_FILES.socketPath);
  writeFileSync(`${written}.tmp`, elsewhere, { mode: 0o600 });
  renameSync(`${written}.tmp`, written);
  return { path: elsewhere, remove: () => rmSync(dirname(elsewhere), { recursive: true, force: true }) };
}

/** The system's temporary directory, or the usual one where that is too long itself. */
function temporaryDir(): string {
  const longest = join(tmpdir(), `${PREFIX}XXXXXX`, SUPERVISOR_FILES.socket);
  return Buffer.byteLength(longest) < MAX_SOCKET_PATH_BYTES ? tmpdir() : '/tmp';
}

/** Removes what the supervisor of `dir`, which is dead, has made outside of it. */
export function removeSocketPlace(dir: string): void {
  const place = dirname(findSocketPath(dir));
  if (place !== dir && basename(place).startsWith(PREFIX)) rmSync(place, { recursive: true, force: true });
}

/** @returns where the supervisor of `dir` listens, or will once it has started. */
export function findSocketPath(dir: string): string {
  try {
    return readFileSync(join(dir, SUPERVISOR_FILES.socketPath), 'utf8');
  } catch {
    return join(dir, SUPERVISOR_FILES.socket);
  }
}
