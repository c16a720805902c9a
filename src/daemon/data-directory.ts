import path from 'node:path';
import type { Logger } from 'pino';
import { makeDirectories } from '../files/make-directories.js';
import { letThrough, taskOwnerOf, type TaskOwner } from '../runtime/files/task-owner.js';
import { refuseLiveShims } from '../runtime/recovery/old-shims.js';
import { lockDataDirWhenFree, type DataDirLock } from '../store/database/data-dir-lock.js';
import { olderDataDir } from '../store/database/older-data-dir.js';
import { openStore } from '../store/open.js';
import type { Store } from '../store/store.js';
import type { Config } from './config.js';
import type { Part } from './lifecycle.js';

interface Given {
  config: Config;
  log: Logger;
  now: () => number;
}

/** A garbage collection without a daemon holds the data directory for about a second at a time. */
const LOCK_PATIENCE_MS = 10_000;

/** The right to be the only daemon of the data directory. */
export const dataDirLock: Part<Given, DataDirLock> = {
  start: ({ config }) => lockDataDirWhenFree(config.dataDir, LOCK_PATIENCE_MS),
  stop: (lock) => {
    lock.release();
  },
};

/** The database, and beside it the directories that all others are made in. */
export const openedStore: Part<Given & { taskOwner: TaskOwner | undefined; bootId: string }, Store> = {
  start: ({ config, log, now, taskOwner, bootId }) => {
    const { dataDir } = config;
    refuseLiveShims(dataDir);
    tellOlder(dataDir, log);
    const store = openStore({ dataDir, now, bootId });
    try {
      // Only once the database is accepted: nothing is made beside one that is refused.
      for (const dir of ['tasks', 'supervisor', 'trash', 'sessions'])
        makeDirectories(path.join(dataDir, dir), 0o700);
      for (const dir of ['', 'tasks', 'sessions']) letThrough(path.join(dataDir, dir), taskOwner);
      store.saveTaskGroup(taskOwner?.gid);
    } catch (error) {
      store.close();
      throw error;
    }
    return store;
  },
  stop: (store) => {
    store.close();
  },
};

/** Whom tasks run as. It is known before anything is touched: a user that does not exist is a mistake on the command line. */
export const taskOwner: Part<Given, TaskOwner | undefined> = {
  start: ({ config }) => taskOwnerOf(config.taskUser),
};

function tellOlder(dataDir: string, log: Logger): void {
  const older = olderDataDir(process.cwd(), dataDir);
  if (older === undefined) return;
  log.warn(
    { older, data_dir: dataDir },
    `${older} holds tasks of the older runtime, and this daemon starts with an empty directory: to take them over, ` +
      `stop this daemon and the older runtime, and start with --data-dir ${older}`,
  );
}
