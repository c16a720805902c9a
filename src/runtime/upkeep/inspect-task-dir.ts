import fs from 'node:fs';
import { withDirectory, type Directory } from '../../files/directory.js';
import { errnoOf } from '../../files/errno.js';
import type { OpenFile } from '../../files/open-file.js';
import { unfinishedName } from '../../files/replace-file.js';

/** What the daemon's own files in a task's directory look like. */
export interface TaskDirState {
  /** `missing`: no directory of that name. `foreign`: something else has that name. */
  dir: 'there' | 'missing' | 'foreign';
  /** `half`: its end is not as the daemon writes it, so a crash has cut it off; or it cannot be read. */
  result: 'whole' | 'half' | 'missing';
  /** Names of unfinished files, which would have been renamed once they were complete. */
  temporary: string[];
}

/** The name under which earlier versions wrote a result before they renamed it. */
const OLD_TEMPORARY = 'result.json.tmp';
/** Every result ends with a brace; the older runtime wrote no line end after it. */
const LAST_BYTES = 2;
/** At most so many are reported: a task can make any number of files with such names. */
const MAX_TEMPORARY = 100;

/** Looks at the directory of a task. @param tasks the directory that it is in. @param name of it */
export function inspectTaskDir(tasks: Directory, name: string): TaskDirState {
  try {
    return withDirectory(tasks, [name], (directory) => ({
      dir: 'there',
      result: resultIn(directory),
      temporary: temporaryIn(directory),
    }));
  } catch (error) {
    const code = errnoOf(error);
    if (code === undefined) throw error;
    return { dir: code === 'ENOENT' ? 'missing' : 'foreign', result: 'missing', temporary: [] };
  }
}

function resultIn(directory: Directory): TaskDirState['result'] {
  let file: OpenFile;
  try {
    file = directory.file('result.json');
  } catch (error) {
    return errnoOf(error) === 'ENOENT' ? 'missing' : 'half';
  }
  try {
    const { size } = file.stat;
    if (size < LAST_BYTES) return 'half';
    const end = Buffer.alloc(LAST_BYTES);
    fs.readSync(file.fd, end, 0, LAST_BYTES, size - LAST_BYTES);
    return end.toString('latin1').trimEnd().endsWith('}') ? 'whole' : 'half';
  } finally {
    fs.closeSync(file.fd);
  }
}

function temporaryIn(directory: Directory): string[] {
  try {
    return directory
      .names()
      .map(String)
      .filter((name) => name === OLD_TEMPORARY || unfinishedName(name) !== undefined)
      .slice(0, MAX_TEMPORARY);
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error;
    return [];
  }
}
