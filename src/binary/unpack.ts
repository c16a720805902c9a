import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Directory } from '../files/directory.js';
import { isErrno } from '../files/errno.js';
import { NotAFileError } from '../files/kind.js';
import { replaceFile } from '../files/replace-file.js';

/** Write permission of group and others. */
const OTHERS_WRITE = 0o022;
const OTHERS = 0o077;

/** A file to unpack. */
export interface Contents {
  /** File name that ends in `.node`; the hash is put before that. */
  name: string;
  /** Of the contents, in hexadecimal. */
  sha256: string;
  /** Reads the contents; called only when the file has to be written. */
  read: () => Buffer;
}

/** A file whose contents were verified through the open descriptor, whatever has its name by now. */
export interface Unpacked {
  fd: number;
  path: string;
}

/**
 * Opens the file with these contents in a directory of ours. A missing directory is made (0700), and so is the one above it.
 * A file that is missing or has other contents is written and renamed into place; several processes may do so at once. The
 * file's name contains the hash, so that versions do not disturb each other.
 * @param uid effective user of this process
 * @throws Error when the directory or the file belongs to another user, or another user could change it; a system error:
 *   EROFS, EACCES, ENOSPC
 */
export function unpack(place: string, contents: Contents, uid: number): Unpacked {
  const { name, ext } = path.parse(contents.name);
  const file = `${name}-${contents.sha256}${ext}`;
  const directory = privateDirectory(place, uid);
  try {
    const open = () => verified(directory, file, contents.sha256, uid);
    let fd = open();
    if (fd === undefined) {
      replaceFile(directory, file, [contents.read()], {
        mode: 0o500,
        prepare: (made) => {
          fs.fchmodSync(made, 0o500);
        },
      });
      fd = open();
    }
    if (fd === undefined) throw new Error(`${file} does not hold what was written to it`);
    return { fd, path: path.join(place, file) };
  } finally {
    directory.close();
  }
}

/** @throws Error when it is not a directory of this user that is closed to all others */
function privateDirectory(place: string, uid: number): Directory {
  const parentPath = path.dirname(place);
  makeIfMissing(() => {
    fs.mkdirSync(parentPath, 0o700);
  });
  const parent = Directory.open(parentPath);
  try {
    makeIfMissing(() => {
      parent.makeDirectory(path.basename(place), 0o700).close();
    });
    const directory = parent.directory(path.basename(place));
    const { uid: owner, mode } = directory.self();
    if (owner === uid && (mode & OTHERS) === 0) return directory;
    directory.close();
    throw new Error(
      owner === uid
        ? `it is open to other users (mode ${(mode & 0o777).toString(8)}, not 700)`
        : `it belongs to user ${owner}, not to ${uid}`,
    );
  } finally {
    parent.close();
  }
}

function makeIfMissing(make: () => void): void {
  try {
    make();
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
}

/** @returns undefined when there is no file of that name that certainly has these contents */
function verified(directory: Directory, file: string, sha256: string, uid: number): number | undefined {
  let found;
  try {
    found = directory.file(file);
  } catch (error) {
    if (error instanceof NotAFileError || isErrno(error, 'ENOENT', 'EACCES')) return undefined;
    throw error;
  }
  const { fd, stat } = found;
  const isOurs = stat.uid === uid && (stat.mode & OTHERS_WRITE) === 0;
  if (isOurs && createHash('sha256').update(fs.readFileSync(fd)).digest('hex') === sha256) return fd;
  fs.closeSync(fd);
  return undefined;
}
