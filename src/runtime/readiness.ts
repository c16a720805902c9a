import { promises as fs } from 'node:fs';
import type { Executor } from '../executor/executor.js';
import { messageOf } from '../files/errno.js';
import { ExecgoError } from '../task/errors.js';
import type { Readiness } from '../task/runtime-view.js';
import type { Core } from './core.js';
import type { Schedule } from './schedule.js';

/** What is asked how it is. */
export type ReadinessCore = Pick<Core, 'settings' | 'store' | 'log'> & {
  schedule: Pick<Schedule, 'accepting'>;
  executor: Pick<Executor, 'place'>;
};

const MIB = 1_048_576;

/**
 * How each part is, after really writing to the storage.
 * @throws ExecgoError `unavailable` when any is not well: its message and its details say which, and why
 */
export async function readiness(core: ReadinessCore): Promise<Readiness> {
  const [store, disk] = await Promise.all([storeHealth(core), diskHealth(core.settings.dataDir)]);
  const parts: Readiness = {
    accepting: core.schedule.accepting
      ? { ok: true, detail: 'tasks are accepted' }
      : { ok: false, detail: 'the daemon is stopping' },
    store,
    supervisor: supervisorHealth(core.executor.place),
    disk,
  };
  const unwell = Object.entries(parts).filter(([, { ok }]) => !ok);
  if (unwell.length === 0) return parts;
  const why = unwell.map(([name, { detail }]) => `${name}: ${detail}`).join('; ');
  throw new ExecgoError('unavailable', `not ready: ${why}`, { parts });
}

async function storeHealth({ store, log }: ReadinessCore): Promise<Readiness['store']> {
  const migration = store.migration;
  try {
    await store.commits.write(() => {
      store.probe();
    });
    return { ok: true, detail: 'the database can be read and written', migration };
  } catch (error) {
    if (error instanceof ExecgoError) return { ok: false, detail: error.message, migration };
    log.error({ err: error }, 'readiness check failed');
    return {
      ok: false,
      detail: 'the database does not serve; the log of the daemon has the details',
      migration,
    };
  }
}

function supervisorHealth(place: Executor['place']): Readiness['supervisor'] {
  return place === undefined
    ? { ok: false, detail: 'there is none that tasks can be given to: one is being started' }
    : { ok: true, detail: `process ${place.pid}` };
}

async function diskHealth(dataDir: string): Promise<Readiness['disk']> {
  try {
    const { bsize, bavail, ffree, files } = await fs.statfs(dataDir);
    const free_bytes = bavail * bsize;
    const detail = `${Math.floor(free_bytes / MIB)} MiB free`;
    if (bavail === 0)
      return { ok: false, detail: 'no room is left on the disk of the data directory', free_bytes };
    if (files > 0 && ffree === 0)
      return { ok: false, detail: 'no inode is left on the disk of the data directory', free_bytes };
    return { ok: true, detail, free_bytes };
  } catch (error) {
    return { ok: false, detail: `the data directory cannot be looked at: ${messageOf(error)}` };
  }
}
