import { lstatSync, mkdtempSync, renameSync, rmdirSync, rmSync, writeFileSync, type Stats } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { isErrno } from '../../files/errno.js';
import { readText } from '../../files/read-text.js';
import { SUPERVISOR_FILES } from './protocol.js';

/** The kernel's own limit is 108 bytes with the final NUL on Linux, 104 elsewhere. */
export const MAX_SOCKET_PATH_BYTES = 100;
/** Prefix of the private directory in which a socket is made when its path would be too long. */
const PREFIX = 'execgo-';
const FORM = /^execgo-[A-Za-z0-9]{6}$/;

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
  const directory = dirname(elsewhere);
  return {
    path: elsewhere,
    remove: () => {
      removeShortDirectory(directory, [SUPERVISOR_FILES.socket]);
    },
  };
}

/** Makes a private directory in which the path of a socket is short enough. @throws Error when it cannot be made */
export function makeShortDirectory(): string {
  return mkdtempSync(join(temporaryDir(), PREFIX));
}

/** Whether a path is one that {@link makeShortDirectory} gives. What is there may be anything. */
export function isShortDirectoryPath(path: string): boolean {
  return path === join(temporaryDir(), basename(path)) && FORM.test(basename(path));
}

/** Whether what stands somewhere is a directory of this user's own, which nobody else can change. */
export function isOwnDirectory(stat: Stats | undefined): boolean {
  return stat?.isDirectory() === true && stat.uid === process.geteuid?.() && (stat.mode & 0o022) === 0;
}

/** Removes such a directory with these files in it. One that has more stays: it is not what it is taken for. */
export function removeShortDirectory(directory: string, files: readonly string[]): void {
  for (const file of files) rmSync(join(directory, file), { force: true });
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST')) throw error;
  }
}

/** The system's temporary directory, or /tmp if that path is too long itself. */
function temporaryDir(): string {
  const own = resolve(tmpdir());
  const longest = join(own, `${PREFIX}XXXXXX`, SUPERVISOR_FILES.socket);
  return Buffer.byteLength(longest) < MAX_SOCKET_PATH_BYTES ? own : '/tmp';
}

/** Removes the private directory that the supervisor of `dir`, which is dead, made outside of it. */
export function removeSocketPlace(dir: string): void {
  const place = dirname(findSocketPath(dir));
  if (place !== resolve(place) || place === resolve(dir) || !FORM.test(basename(place))) return;
  if (isOwnDirectory(lstatSync(place, { throwIfNoEntry: false })))
    removeShortDirectory(place, [SUPERVISOR_FILES.socket]);
}

/** @returns where the supervisor of `dir` listens, or will once it has started. */
export function findSocketPath(dir: string): string {
  return readText(join(dir, SUPERVISOR_FILES.socketPath)) ?? join(dir, SUPERVISOR_FILES.socket);
}
