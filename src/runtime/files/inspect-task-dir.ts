import fs from 'node:fs';
import path from 'node:path';
import { errnoOf } from './errno-of.js';

/** What is in a task's directory, as far as the daemon wrote it. */
export interface TaskDirState {
  /** `missing`: no directory of that name. `foreign`: something else has that name. */
  dir: 'there' | 'missing' | 'foreign';
  /** `half`: it does not end as the daemon ends it, so a crash has cut it off. */
  result: 'whole' | 'half' | 'missing';
  /** Names of files that were to be renamed once they were complete. */
  temporary: string[];
}

/** Those that the daemon writes in a task's directory; a task has its own names in its workspace. */
const TEMPORARY = ['result.json.tmp'];
/** Every result ends with a brace; the older runtime wrote no line end after it. */
const LAST_BYTES = 2;

/** Looks at a task's directory without following links. */
export function inspectTaskDir(dir: string): TaskDirState {
  const stat = fs.lstatSync(dir, { throwIfNoEntry: false });
  if (!stat?.isDirectory())
    return { dir: stat === undefined ? 'missing' : 'foreign', result: 'missing', temporary: [] };
  return {
    dir: 'there',
    result: resultAt(path.join(dir, 'result.json')),
    temporary: TEMPORARY.filter(
      (name) => fs.lstatSync(path.join(dir, name), { throwIfNoEntry: false }) !== undefined,
    ),
  };
}

function resultAt(file: string): TaskDirState['result'] {
  let handle: number;
  try {
    handle = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  } catch (error) {
    return errnoOf(error) === 'ENOENT' ? 'missing' : 'half';
  }
  try {
    const stat = fs.fstatSync(handle);
    if (!stat.isFile() || stat.size < LAST_BYTES) return 'half';
    const end = Buffer.alloc(LAST_BYTES);
    fs.readSync(handle, end, 0, LAST_BYTES, stat.size - LAST_BYTES);
    return end.toString('latin1').trimEnd().endsWith('}') ? 'whole' : 'half';
  } finally {
    fs.closeSync(handle);
  }
}
