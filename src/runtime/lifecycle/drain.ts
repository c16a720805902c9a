import type { Core } from '../core.js';

/** Resolves when no task runs but those that are paused, which wait for somebody. */
export async function drained(core: Pick<Core, 'live' | 'announcer' | 'log'>): Promise<void> {
  const running = () =>
    [...core.live.all()].filter(
      ({ record }) => record.status === 'running' && record.paused_at_ms === undefined,
    );
  for (let task = running()[0]; task !== undefined; task = running()[0]) {
    core.log.info({ running: running().length }, 'waiting for running tasks');
    const { task_id } = task.record;
    const either = new AbortController();
    const over = [
      core.announcer.attemptEnd(task_id, either.signal),
      core.announcer.taskTurn(task_id, either.signal),
    ];
    await Promise.race(over);
    either.abort();
  }
}
