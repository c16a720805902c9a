import fs from 'node:fs';
import type Database from 'better-sqlite3';
import { ExecgoError } from '../task/errors.js';

/**
 * Copies a database that is in use, as of one moment, to a new file with mode 0600. The file appears under its name once
 * it is complete and on disk.
 * @throws ExecgoError `conflict` when `path` exists; nothing is left behind then, nor after a failure
 */
export async function backupDatabase(db: Database.Database, path: string): Promise<void> {
  if (fs.existsSync(path))
    throw new ExecgoError('conflict', `backup would overwrite ${path}: choose another name`);
  const partial = `${path}.partial`;
  fs.closeSync(fs.openSync(partial, 'w', 0o600));
  try {
    fs.chmodSync(partial, 0o600);
    await db.backup(partial);
    const fd = fs.openSync(partial, 'r+');
    fs.fsyncSync(fd);
    fs.closeSync(fd);
    fs.renameSync(partial, path);
  } finally {
    for (const left of [partial, `${partial}-wal`, `${partial}-shm`, `${partial}-journal`])
      fs.rmSync(left, { force: true });
  }
}
