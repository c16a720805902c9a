import { isDeepStrictEqual } from 'node:util';
import { crashPoint } from '../../executor/crash-point.js';
import type { Command } from '../../store/command-table.js';
import { COMMANDS_MAX, OPEN_COMMANDS_MAX, validateCommand, type NewCommand } from '../../task/commands.js';
import { ExecgoError } from '../../task/errors.js';
import { sessionOf } from '../../task/session-of.js';
import { isTerminal } from '../../task/states.js';
import type { Core } from '../core.js';
import { checkOwner } from '../lifecycle/check-owner.js';
import { taskRecord } from '../status.js';

/** What commands work with. */
export type CommandCore = Pick<Core, 'store' | 'live' | 'announcer' | 'now'>;

/**
 * Writes down what a client says to a task, once for each key.
 * @param owner value of `x-execgo-owner`
 * @throws ExecgoError `invalid_input`, `not_found`, `permission_denied`; `conflict` when the task has ended or is being killed, and for
 *   a key that another command has; `resource_limit_exceeded` when the task has as many as it may
 */
export async function addCommand(
  core: CommandCore,
  taskId: string,
  body: unknown,
  owner: string | undefined,
): Promise<Command> {
  const command = validateCommand(body);
  checkOwner(taskRecord(core, taskId), owner);
  const { store, announcer } = core;
  const { first, events } = await store.commits.write(() => {
    const earlier = sentBefore(core, taskId, command);
    if (earlier !== undefined) return { first: earlier, events: [] };
    const added = insert(core, taskId, command);
    crashPoint('before_command_commit');
    return added;
  });
  crashPoint('after_command_commit');
  if (events.length > 0) {
    announcer.events(events);
    announcer.commandChanged(taskId);
  }
  return first;
}

function sentBefore({ store }: CommandCore, taskId: string, command: NewCommand): Command | undefined {
  const { idempotency_key: key } = command;
  const earlier = key === undefined ? undefined : store.commands.withKey(taskId, key);
  if (earlier === undefined) return undefined;
  if (earlier.type !== command.type || !isDeepStrictEqual(earlier.payload, command.payload))
    throw new ExecgoError(
      'conflict',
      `idempotency_key: task ${taskId} has had another command with this key, number ${earlier.seq}`,
      { seq: earlier.seq },
    );
  return earlier;
}

/** In the transaction of its caller. */
function insert(core: CommandCore, taskId: string, command: NewCommand) {
  const { store } = core;
  const record = taskRecord(core, taskId);
  const status = store.tasks.status(taskId) ?? record.status;
  if (isTerminal(status))
    throw new ExecgoError('conflict', `task ${taskId} has ended: it takes no more commands`, { status });
  if (core.live.get(taskId)?.kill !== undefined || record.kill_requested_at_ms !== undefined)
    throw new ExecgoError('conflict', `task ${taskId} is being ended: it takes no more commands`, { status });
  checkBounds(core, taskId);
  const at_ms = core.now();
  const first = store.commands.add(taskId, { ...command, at_ms });
  const data = { seq: first.seq, type: command.type };
  const events = store.appendEvents(
    taskId,
    [{ event_type: 'command_added', timestamp_ms: at_ms, data }],
    sessionOf(record.request),
  );
  return { first, events };
}

function checkBounds({ store: { commands } }: CommandCore, taskId: string): void {
  const tooMany = (bound: string, limit: number, why: string) =>
    new ExecgoError('resource_limit_exceeded', `task ${taskId} ${why}`, { bound, limit });
  if (commands.lastSeq(taskId) >= COMMANDS_MAX)
    throw tooMany('commands', COMMANDS_MAX, `has had ${COMMANDS_MAX} commands: it takes no more`);
  if (commands.openSeqs(taskId).length >= OPEN_COMMANDS_MAX)
    throw tooMany(
      'open_commands',
      OPEN_COMMANDS_MAX,
      `has ${OPEN_COMMANDS_MAX} commands that it has not carried out: it takes a further one once it has`,
    );
}
