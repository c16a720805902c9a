import type { Core } from '../core.js';

/** Resolves when no task runs. */
export async function drained(core: Pick<Core, 'live' | 'announcer' | 'log'>): Promise<void> {
  const running = () => [...core.live.all()].filter((t) => t.record.status === 'running');
  for (let task = running()[0]; task !== undefined; task = running()[0]) {
    core.log.info({ running: running().length }, 'waiting for running tasks');
    await core.announcer.taskEnd(task.record.task_id, new AbortController().signal);
  }
}
