import { crashPoint } from '../../executor/crash-point.js';
import { ExecgoError } from '../../task/errors.js';
import { sessionOf } from '../../task/session-of.js';
import {
  TASK_EVENTS_MAX,
  TASK_EVENTS_MAX_BYTES,
  validateTaskEvent,
  type TaskEventAnswer,
} from '../../task/task-event.js';
import type { Core } from '../core.js';
import type { LiveTask, SaidEvents } from '../live-tasks.js';
import type { Caller } from '../task-side.js';
import { liveCaller } from './caller.js';

/** How many events a task may add at once, and how many more with each second after that. */
const AT_ONCE = 50;
const EACH_SECOND = 10;

/** What events of tasks work with. */
export type TaskEventCore = Pick<Core, 'store' | 'live' | 'announcer' | 'now'>;

/**
 * Adds an event of the task's own to its history; durable when this resolves.
 * @throws ExecgoError `invalid_input`; `resource_limit_exceeded` when it comes too fast, or the task has added as much as it may; `gone`
 *   when the attempt has ended
 */
export async function addTaskEvent(
  core: TaskEventCore,
  caller: Caller,
  body: unknown,
): Promise<TaskEventAnswer> {
  const said = validateTaskEvent(body);
  const task = liveCaller(core, caller);
  const { store, announcer } = core;
  const { task_id } = caller;
  const bytes = Buffer.byteLength(JSON.stringify(said));
  const takeBack = take(saidBy(core, task), task_id, bytes);
  try {
    const events = await store.commits.write(() => {
      const { record } = liveCaller(core, caller);
      const event = { event_type: 'task_event', timestamp_ms: core.now(), data: said } as const;
      const written = store.appendEvents(task_id, [event], sessionOf(record.request));
      crashPoint('before_task_event_commit');
      return written;
    });
    crashPoint('after_task_event_commit');
    announcer.events(events);
    return { task_id, seq: events[0]?.seq ?? 0 };
  } catch (error) {
    takeBack();
    throw error;
  }
}

function saidBy({ store }: TaskEventCore, task: LiveTask): SaidEvents {
  return (task.said ??= {
    ...store.told.ofTask(task.record.task_id),
    ...{ left: AT_ONCE, atMs: performance.now() },
  });
}

/**
 * Before an event is read: whether the task may add another one now.
 * @throws ExecgoError `resource_limit_exceeded`; `gone` when the attempt has ended
 */
export function expectTaskEvent(core: TaskEventCore, caller: Caller): void {
  check(saidBy(core, liveCaller(core, caller)), caller.task_id, 0);
}

/** Counts one more. @returns what takes that back. @throws ExecgoError `resource_limit_exceeded` */
function take(said: SaidEvents, taskId: string, bytes: number): () => void {
  check(said, taskId, bytes);
  said.left--;
  said.count++;
  said.bytes += bytes;
  return () => {
    said.count--;
    said.bytes -= bytes;
  };
}

/** @throws ExecgoError `resource_limit_exceeded` */
function check(said: SaidEvents, taskId: string, bytes: number): void {
  const now = performance.now();
  said.left = Math.min(AT_ONCE, said.left + ((now - said.atMs) / 1_000) * EACH_SECOND);
  said.atMs = now;
  const refused = (bound: string, limit: number, why: string) =>
    new ExecgoError('resource_limit_exceeded', `task ${taskId} ${why}`, { bound, limit });
  if (said.count >= TASK_EVENTS_MAX)
    throw refused('task_events', TASK_EVENTS_MAX, `has added ${TASK_EVENTS_MAX} events: it may add no more`);
  if (said.bytes + bytes > TASK_EVENTS_MAX_BYTES)
    throw refused(
      'task_event_bytes',
      TASK_EVENTS_MAX_BYTES,
      `has added events of ${said.bytes} bytes: with this one it would be more than ${TASK_EVENTS_MAX_BYTES}`,
    );
  if (said.left < 1)
    throw refused(
      'task_event_rate',
      EACH_SECOND,
      `adds events too fast: ${EACH_SECOND} a second, ${AT_ONCE} at once`,
    );
}
