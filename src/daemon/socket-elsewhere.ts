import fs from 'node:fs';
import path from 'node:path';
import { Directory, withDirectory } from '../files/directory.js';
import { replaceFile } from '../files/replace-file.js';
import { letThrough, type TaskOwner } from '../runtime/files/task-owner.js';
import {
  isOwnDirectory,
  isShortDirectoryPath,
  makeShortDirectory,
  removeShortDirectory,
} from '../supervisor/wire/socket-path.js';

/** The file of a data directory that says where its socket is, and the one there that says of which data directory that is. */
const ELSEWHERE = 'task-socket';
const TIE = 'data-directory';
/** No path of ours is longer. Bytes. */
const TEXT_MAX = 4_096;

/**
 * The directory of the task socket of a data directory whose own path is too long: one in the system's temporary directory, the same for
 * each daemon of that data directory. A copy of the data directory has another one, and nothing that only looks like one is taken.
 * @throws a system error when none can be made
 */
export function socketElsewhere(dataDir: string, owner: TaskOwner | undefined): string {
  return withDirectory(dataDir, [], (data) => {
    const tie = tieOf(data);
    const known = readShort(data, ELSEWHERE);
    if (known !== undefined && entered(known, tie, (directory) => letThrough(directory, owner))) return known;
    const made = makeShortDirectory();
    try {
      withDirectory(path.dirname(made), [path.basename(made)], (directory) => {
        replaceFile(directory, TIE, [Buffer.from(tie)], { mode: 0o600 });
        letThrough(directory, owner);
      });
      replaceFile(data, ELSEWHERE, [Buffer.from(made)], { mode: 0o600 });
    } catch (error) {
      removeShortDirectory(made, [TIE]);
      throw error;
    }
    return made;
  });
}

/** Removes it, with the socket of this name, once no task needs it. Leaves alone what is not that of this data directory. */
export function removeSocketElsewhere(dataDir: string, directory: string, socket: string): void {
  withDirectory(dataDir, [], (data) => {
    if (!entered(directory, tieOf(data), () => undefined)) return;
    removeShortDirectory(directory, [socket, TIE]);
    if (readShort(data, ELSEWHERE) === directory) data.unlink(ELSEWHERE);
  });
}

/** What only this data directory is, as long as it is there: a copy is another one. */
function tieOf(data: Directory): string {
  const { dev, ino } = data.self();
  return `${dev}:${ino}\n`;
}

/** Calls `use` with the directory at this path if that is the one of the data directory with this tie. @returns whether it is */
function entered(known: string, tie: string, use: (directory: Directory) => void): boolean {
  if (!isShortDirectoryPath(known)) return false;
  let directory: Directory;
  try {
    directory = Directory.openIn(path.dirname(known), path.basename(known));
  } catch {
    return false;
  }
  try {
    if (!isOwnDirectory(directory.self()) || readShort(directory, TIE) !== tie) return false;
    use(directory);
    return true;
  } finally {
    directory.close();
  }
}

/** The text of a short file; undefined for anything else. No link is followed, and nothing is waited for. */
function readShort(directory: Directory, name: string): string | undefined {
  try {
    const { fd } = directory.file(name);
    try {
      const bytes = Buffer.alloc(TEXT_MAX);
      return bytes.toString('utf8', 0, fs.readSync(fd, bytes, 0, TEXT_MAX, 0));
    } finally {
      fs.closeSync(fd);
    }
  } catch {
    return undefined;
  }
}
