import type { Command } from '../../store/command-table.js';
import type { CommandPage, CommandView } from '../../task/commands.js';
import { ExecgoError } from '../../task/errors.js';
import type { CommandService, CommandsQuery } from '../command-service.js';
import { waitAtMost } from '../lifecycle/wait.js';
import { taskRecord } from '../status.js';
import { addCommand, type CommandCore } from './add.js';
import { commandPage, commandView } from './command-view.js';

/** Commands as clients see them. */
export class Commands implements CommandService {
  constructor(private readonly core: CommandCore) {}

  async add(taskId: string, body: unknown, owner: string | undefined): Promise<CommandView> {
    return commandView(taskId, await addCommand(this.core, taskId, body, owner));
  }

  async command(taskId: string, seq: number, waitMs: number, signal: AbortSignal): Promise<CommandView> {
    const { core } = this;
    const isOver = () => knownCommand(core, taskId, seq).finished_at_ms !== null;
    await waitForCommands(core, taskId, isOver, waitMs, signal);
    return commandView(taskId, knownCommand(core, taskId, seq));
  }

  async page(
    taskId: string,
    { afterSeq, limit, waitMs }: CommandsQuery,
    signal: AbortSignal,
  ): Promise<CommandPage> {
    const { core } = this;
    taskRecord(core, taskId);
    const isThere = () => core.store.commands.lastSeq(taskId) > afterSeq;
    await waitForCommands(core, taskId, isThere, waitMs, signal);
    return commandPage(taskId, core.store.commands.after(taskId, afterSeq, limit, false), afterSeq);
  }
}

/** @throws ExecgoError `not_found` */
export function knownCommand(core: CommandCore, taskId: string, seq: number): Command {
  const command = core.store.commands.get(taskId, seq);
  if (command !== undefined) return command;
  taskRecord(core, taskId);
  throw new ExecgoError('not_found', `command not found: task ${taskId} has none with number ${seq}`, {
    seq,
  });
}

/**
 * Waits until something holds of the commands of a task, or the task ends, but no longer than `waitMs`. Throws when `signal` aborts,
 * and what `isMet` throws.
 * @param isOfAttempt the end of the attempt that the task is at ends the wait, too
 */
export async function waitForCommands(
  core: CommandCore,
  taskId: string,
  isMet: () => boolean,
  waitMs: number,
  signal: AbortSignal,
  isOfAttempt = false,
): Promise<void> {
  if (waitMs === 0 || isMet() || core.live.get(taskId) === undefined) return;
  await waitAtMost(waitMs, signal, async (either) => {
    const { announcer } = core;
    const end = isOfAttempt ? announcer.attemptEnd(taskId, either) : announcer.taskEnd(taskId, either);
    const ended = end.then(
      () => true,
      () => true,
    );
    for (let over = false; !over && !isMet();)
      over = await Promise.race([ended, announcer.commandChange(taskId, either).then(() => false)]);
  });
}
