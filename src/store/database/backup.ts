import fs from 'node:fs';
import { dirname, resolve } from 'node:path';
import type Database from 'better-sqlite3';
import { isErrno, systemWords } from '../../files/errno.js';
import { ExecgoError, invalidInput } from '../../task/errors.js';
import { openForReading, problemAt } from './inspect.js';

/** All pages in one step: when a writer changes the database between two steps, SQLite begins the copy again. */
const ALL_PAGES = 2 ** 31 - 1;

/**
 * Copies a database, which may be in use, as it is at one moment, to a new file with mode 0600. The file gets its name once
 * it is complete and on disk. Writers are not held up, but the write-ahead log cannot be emptied meanwhile.
 * @returns the size of the copy in bytes
 * @throws ExecgoError `conflict` when `target` exists, `internal` when `source` is missing or damaged; after any failure
 *   nothing is left behind
 */
export async function backupDatabase(source: string, target: string): Promise<number> {
  const file = resolve(target);
  if (fs.existsSync(file))
    throw new ExecgoError('conflict', `backup would overwrite ${file}: choose another name`);
  const problem = fs.existsSync(source) ? problemAt(source) : 'it does not exist';
  if (problem !== undefined)
    throw new ExecgoError('internal', `cannot copy the database ${source}: ${problem}`);
  const partial = `${file}.partial-${process.pid}`;
  try {
    fs.closeSync(fs.openSync(partial, 'wx', 0o600));
  } catch (error) {
    const why = isErrno(error, 'ENOENT') ? `${dirname(file)} does not exist` : systemWords(error);
    throw invalidInput(
      `cannot write ${target}: ${why}; name a file in a directory that is there and may be written to`,
    );
  }
  let db: Database.Database | undefined;
  try {
    db = openForReading(source);
    await db.backup(partial, { progress: () => ALL_PAGES });
    const fd = fs.openSync(partial, 'r+');
    fs.fsyncSync(fd);
    fs.closeSync(fd);
    fs.renameSync(partial, file);
    return fs.statSync(file).size;
  } finally {
    db?.close();
    for (const left of [partial, `${partial}-wal`, `${partial}-shm`, `${partial}-journal`])
      fs.rmSync(left, { force: true });
  }
}
