import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import type { Directory } from './directory.js';

export interface ReplaceOptions {
  /** Mode of the new file, less what the umask takes away. */
  mode: number;
  /** Called with the descriptor before the file has its name, to change its owner or mode. */
  prepare?: ((fd: number) => void) | undefined;
}

/** In bytes: up to this size, joining the pieces costs less than one write for each. */
const COPY_BYTES = 65_536;

const UNFINISHED = /^\.(.+)\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/;

/**
 * Writes a file under a random name and renames it over `name`, so that a reader sees either the whole new file or the one
 * before it.
 * @throws a system error (ENOSPC, EISDIR when `name` is a directory, …); the unfinished file has been removed then
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

/** The name of the file that an unfinished file was to replace; undefined for names that {@link replaceFile} does not make. */
export function unfinishedName(name: string): string | undefined {
  return UNFINISHED.exec(name)?.[1];
}

/** Long pieces are written one by one, so that they are not copied. */
function writeAll(fd: number, pieces: readonly Buffer[]): void {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  for (const piece of length <= COPY_BYTES ? [Buffer.concat(pieces, length)] : pieces)
    for (let at = 0; at < piece.length;) at += fs.writeSync(fd, piece, at, piece.length - at);
}

/** The owner of the directory may have removed or replaced the file. */
function removeIfThere(directory: Directory, name: string): void {
  try {
    directory.unlink(name);
  } catch {
    // The caller throws the error that made it call this, which says more.
  }
}
