import { accessSync, closeSync, constants, readSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { resolve } from 'node:path';
import { errnoOf } from '../../files/errno.js';
import { openFile } from '../../files/open-file.js';
import { cannotStartIn, describeErrno, notInPath } from './launch-error.js';

/** Errors of exec that are the file's fault. */
const FILE_ERRORS = ['ENOENT', 'ENOTDIR', 'EACCES', 'ENOEXEC', 'ELOOP', 'EISDIR'];
/** How much of a `#!` line Linux reads. */
const SHEBANG_BYTES = 256;

/** Why no process was made. */
export interface SpawnFailure {
  /** For people. */
  reason: string;
  /** The program does not exist or cannot be executed. */
  fileAtFault: boolean;
}

/**
 * Explains the errno of a failed spawn: ENOENT and EACCES may be about the program, its interpreter or the working
 * directory.
 * @param file the last one that the kernel was asked to execute; undefined when there was none.
 * @param searched the PATH in which the program was searched, if it was.
 */
export function explainSpawnFailure(
  name: string,
  file: string | undefined,
  cwd: string,
  searched?: { path: string | undefined },
): SpawnFailure {
  const directory = workingDirectoryProblem(cwd);
  if (directory !== undefined) return { reason: cannotStartIn(cwd, directory), fileAtFault: false };
  if (name === 'ENOENT' && file === undefined && searched !== undefined)
    return { reason: notInPath(searched.path), fileAtFault: true };
  const reason = file === undefined ? undefined : fileProblem(name, resolve(cwd, file));
  return { reason: reason ?? describeErrno(name), fileAtFault: FILE_ERRORS.includes(name) };
}

/** @returns the name of the error from entering the directory; undefined when it can be entered. */
function workingDirectoryProblem(cwd: string): string | undefined {
  try {
    // With the slash, a file that is not a directory gives an error even if it may be executed.
    accessSync(`${cwd}/`, constants.X_OK);
    return undefined;
  } catch (error) {
    return errnoOf(error) ?? 'EACCES';
  }
}

function fileProblem(name: string, file: string): string | undefined {
  const stat = statOf(file);
  if (stat === undefined) return undefined;
  if (name === 'ENOENT') {
    const interpreter = interpreterOf(file);
    return interpreter === undefined
      ? 'the loader that it needs does not exist'
      : `its interpreter ${JSON.stringify(interpreter)} does not exist`;
  }
  if (name !== 'EACCES') return undefined;
  if (stat.isDirectory()) return 'is a directory';
  return (stat.mode & 0o111) === 0 ? 'permission denied: the file is not marked executable' : undefined;
}

/** @returns the path after the `#!` of a script. */
function interpreterOf(file: string): string | undefined {
  try {
    const { fd } = openFile(file);
    try {
      const head = Buffer.alloc(SHEBANG_BYTES);
      const text = head.toString('utf8', 0, readSync(fd, head));
      return /^#![ \t]*([^ \t\n]+)/.exec(text)?.[1];
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

/** Undefined also when the file may not be looked at. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
