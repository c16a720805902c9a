import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { SUPERVISOR_FILES } from './protocol.js';

/** The kernel's own limit is 108 bytes with the final NUL on Linux, 104 elsewhere. */
const MAX_SOCKET_PATH_BYTES = 100;

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
  const elsewhere = join(mkdtempSync(join(tmpdir(), 'execgo-')), SUPERVISOR_FILES.socket);
  writeFileSync(join(dir, SUPERVISOR_FILES.socketPath), elsewhere, { mode: 0o600 });
  return { path: elsewhere, remove: () => rmSync(dirname(elsewhere), { recursive: true, force: true }) };
}

/** @returns where the supervisor of `dir` listens, or will once it has started. */
export function findSocketPath(dir: string): string {
  try {
    return readFileSync(join(dir, SUPERVISOR_FILES.socketPath), 'utf8');
  } catch {
    return join(dir, SUPERVISOR_FILES.socket);
  }
}
