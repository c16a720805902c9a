import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { readText } from '../../files/read-text.js';
import { SUPERVISOR_FILES } from './protocol.js';

/** The kernel's own limit is 108 bytes with the final NUL on Linux, 104 elsewhere. */
export const MAX_SOCKET_PATH_BYTES = 100;
/** Prefix of the private directory in which a socket is made when its path would be too long. */
const PREFIX = 'execgo-';

/** The place of a supervisor's socket. */
export interface SocketPlace {
  path: string;
  /** Removes the private directory, if one was made; the socket file is removed when the server closes. */
  remove(): void;
}

/**
 * Chooses where the supervisor of `dir` listens: in that directory, or, when that path is too long, in a private directory
 * below the system's temporary one; a file in `dir` then has the path.
 * @throws Error when neither can be made.
 */
export function makeSocketPlace(dir: string): SocketPlace {
  const path = join(dir, SUPERVISOR_FILES.socket);
  if (Buffer.byteLength(path) < MAX_SOCKET_PATH_BYTES) return { path, remove: () => undefined };
  const elsewhere = join(makeShortDirectory(), SUPERVISOR_FILES.socket);
  // The daemon that started this process reads this file again and again, and must never see half of it.
  const written = join(dir, SUPERVISOR_FILES.socketPath);
  writeFileSync(`${written}.tmp`, elsewhere, { mode: 0o600 });
  renameSync(`${written}.tmp`, written);
  return { path: elsewhere, remove: () => rmSync(dirname(elsewhere), { recursive: true, force: true }) };
}

/** Makes a private directory in which the path of a socket is short enough. @throws Error when it cannot be made */
export function makeShortDirectory(): string {
  return mkdtempSync(join(temporaryDir(), PREFIX));
}

/** The system's temporary directory, or /tmp if that path is too long itself. */
function temporaryDir(): string {
  const longest = join(tmpdir(), `${PREFIX}XXXXXX`, SUPERVISOR_FILES.socket);
  return Buffer.byteLength(longest) < MAX_SOCKET_PATH_BYTES ? tmpdir() : '/tmp';
}

/** Removes the private directory that the supervisor of `dir`, which is dead, made outside of it. */
export function removeSocketPlace(dir: string): void {
  const place = dirname(findSocketPath(dir));
  if (place !== dir && basename(place).startsWith(PREFIX)) rmSync(place, { recursive: true, force: true });
}

/** @returns where the supervisor of `dir` listens, or will once it has started. */
export function findSocketPath(dir: string): string {
  return readText(join(dir, SUPERVISOR_FILES.socketPath)) ?? join(dir, SUPERVISOR_FILES.socket);
}
