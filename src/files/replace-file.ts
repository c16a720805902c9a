import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import type { Directory } from './directory.js';

export interface ReplaceOptions {
  /** Of the new file, less what the umask takes away. */
  mode: number;
  /** Called with the descriptor before the file has its name, to change its owner or mode. */
  prepare?: ((fd: number) => void) | undefined;
}

/** Below this, one copy costs less than further writes. Bytes. */
const COPY_BYTES = 65_536;

const UNFINISHED = /^\.(.+)\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/;

/**
 * Writes a file under a name that nobody can guess and renames it over `name`, so that who reads it sees all of it or what
 * was there before.
 * @throws a system error (ENOSPC, EISDIR where `name` is a directory, …); the unfinished file is then gone again
 */
export function replaceFile(
  directory: Directory,
  name: string,
  pieces: readonly Buffer[],
  { mode, prepare }: ReplaceOptions,
): void {
  const unfinished = `.${name}.${randomUUID()}.tmp`;
  const fd = directory.makeFile(unfinished, mode);
  try {
    try {
      writeAll(fd, pieces);
      prepare?.(fd);
    } finally {
      fs.closeSync(fd);
    }
    directory.rename(unfinished, name);
  } catch (error) {
    removeIfThere(directory, unfinished);
    throw error;
  }
}

/** The name of the file that was to be replaced; undefined for any name but those that {@link replaceFile} writes under. */
export function unfinishedName(name: string): string | undefined {
  return UNFINISHED.exec(name)?.[1];
}

/** Long pieces are not copied into one. */
function writeAll(fd: number, pieces: readonly Buffer[]): void {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  for (const piece of length <= COPY_BYTES ? [Buffer.concat(pieces, length)] : pieces)
    for (let at = 0; at < piece.length;) at += fs.writeSync(fd, piece, at, piece.length - at);
}

/** Who owns the directory may have taken the file away, or put anything in its place. */
function removeIfThere(directory: Directory, name: string): void {
  try {
    directory.unlink(name);
  } catch {
    // What is in the way is told by the error that led here.
  }
}
