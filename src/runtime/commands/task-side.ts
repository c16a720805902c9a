import { isDeepStrictEqual } from 'node:util';
import { crashPoint } from '../../executor/crash-point.js';
import { claimedAttempt, isTokenOf } from '../../executor/attempt-token.js';
import type { Command } from '../../store/command-table.js';
import { validateFinish, type CommandPage, type CommandView } from '../../task/commands.js';
import { ExecgoError } from '../../task/errors.js';
import type { NewEvent } from '../../task/events.js';
import type { ProgressAnswer } from '../../task/progress.js';
import type { TaskEventAnswer } from '../../task/task-event.js';
import { sessionOf } from '../../task/session-of.js';
import type { CommandsQuery } from '../command-service.js';
import type { Caller, TaskSide } from '../task-side.js';
import type { CommandCore } from './add.js';
import { liveCaller } from './caller.js';
import { commandPage, commandView } from './command-view.js';
import { knownCommand, waitForCommands } from './commands.js';
import { addTaskEvent, expectTaskEvent } from './task-events.js';
import { reportProgress, writeAllProgress, type ProgressCore } from './progress.js';

/** What the daemon does for tasks that talk to it: each sees what is its own, and nothing else. */
export class TaskTalk implements TaskSide {
  constructor(private readonly core: CommandCore & ProgressCore) {}

  caller(token: string): Caller {
    const launchId = claimedAttempt(token);
    const task = launchId === undefined ? undefined : this.core.live.byAttempt(launchId);
    const record = launchId === undefined ? undefined : task?.at(launchId);
    if (record === undefined || record.attempt.launch_id === null || !isTokenOf(record.attempt, token))
      throw new ExecgoError(
        'unauthorized',
        'unauthorized: no attempt that runs has this token: give the EXECGO_TASK_TOKEN of the task that asks',
      );
    return { task_id: record.task_id, launch_id: record.attempt.launch_id };
  }

  async commands(
    caller: Caller,
    { afterSeq, limit, waitMs }: CommandsQuery,
    signal: AbortSignal,
  ): Promise<CommandPage> {
    const { core } = this;
    const { task_id } = caller;
    const { store } = core;
    const isThere = () => {
      liveCaller(core, caller);
      return store.commands.hasOpenAfter(task_id, afterSeq);
    };
    await waitForCommands(core, task_id, isThere, waitMs, signal, true);
    liveCaller(core, caller);
    return commandPage(task_id, store.commands.after(task_id, afterSeq, limit, true), afterSeq);
  }

  acknowledge(caller: Caller, seq: number): Promise<CommandView> {
    const { task_id, launch_id } = caller;
    return this.#change(caller, seq, 'command_acknowledged', (command, atMs) => {
      if (command.status === 'acknowledged') return false;
      if (command.status !== 'pending') throw isOver(task_id, command);
      return this.core.store.commands.acknowledge(task_id, seq, launch_id, atMs);
    });
  }

  async finish(caller: Caller, seq: number, body: unknown): Promise<CommandView> {
    const end = validateFinish(body);
    const { task_id, launch_id } = caller;
    return this.#change(caller, seq, 'command_finished', (command, atMs) => {
      if (command.finished_at_ms === null)
        return this.core.store.commands.finish(task_id, seq, launch_id, end, atMs);
      // Said again, because the answer was lost.
      const { status, result, error } = command;
      if (isDeepStrictEqual([status, result, error ?? undefined], [end.status, end.result, end.error]))
        return false;
      throw isOver(task_id, command);
    });
  }

  progress(caller: Caller, body: unknown): Promise<ProgressAnswer> {
    return reportProgress(this.core, caller, body);
  }

  expectEvent(caller: Caller): void {
    expectTaskEvent(this.core, caller);
  }

  event(caller: Caller, body: unknown): Promise<TaskEventAnswer> {
    return addTaskEvent(this.core, caller, body);
  }

  /** Writes down what was told and is not written yet: no more comes from here. */
  async close(): Promise<void> {
    await writeAllProgress(this.core);
  }

  /** @param change in the transaction; false: the command is so already */
  async #change(
    caller: Caller,
    seq: number,
    event_type: NewEvent['event_type'],
    change: (command: Command, atMs: number) => boolean,
  ): Promise<CommandView> {
    const { core } = this;
    const { store, announcer } = core;
    const { task_id } = caller;
    const { command, events } = await store.commits.write(() => {
      const task = liveCaller(core, caller);
      const timestamp_ms = core.now();
      const before = knownCommand(core, task_id, seq);
      if (!change(before, timestamp_ms)) return { command: knownCommand(core, task_id, seq), events: [] };
      const after = knownCommand(core, task_id, seq);
      const data = { seq, type: after.type, status: after.status };
      const told = store.appendEvents(
        task_id,
        [{ event_type, timestamp_ms, data }],
        sessionOf(task.record.request),
      );
      crashPoint('before_command_change');
      return { command: after, events: told };
    });
    crashPoint('after_command_change');
    if (events.length > 0) {
      announcer.events(events);
      announcer.commandChanged(task_id);
    }
    return commandView(task_id, command);
  }
}

function isOver(taskId: string, { seq, status }: Command): ExecgoError {
  return new ExecgoError('conflict', `command ${seq} of task ${taskId} is ${status} already`, {
    seq,
    status,
  });
}
