import { setTimeout as delay } from 'node:timers/promises';
import { ExecgoConnectionError, type CommandPage, type ExecgoTask } from '../../client/index.js';
import { command as built, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { explain } from '../explain.js';
import { insideTask } from '../inside-task.js';
import { parseCount, parseDuration } from '../units.js';
import { note, printJson } from '../write.js';

/** The longest that the daemon holds a request, in milliseconds. */
const POLL_MS = 60_000;
/** How long a daemon that is away is waited for at most, in milliseconds. */
const AWAY_MS = 60_000;
/** Before it is asked again, because a daemon that is short of connections answers early. Milliseconds. */
const PAUSE_MS = 100;

interface Options {
  after?: number;
  wait?: number;
  ack?: boolean;
}

/** `execgo command next`: the first command that the task has not carried out, once there is one. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = built(
    'command next',
    'Inside of a task: prints the first command that it has not carried out, and waits until there is one.',
    ['execgo command next --ack', 'execgo command next --wait 60s || echo nothing to do'],
  )
    .option('--after <seq>', 'only one with a greater number', parseCount)
    .option(
      '--wait <duration>',
      'wait so long, then exit with 124; without it as long as it takes',
      parseDuration,
    )
    .option('--ack', 'say that it was read');
  if (!parse(command, argv)) return EXIT.ok;
  const { after, wait = Infinity, ack } = command.opts<Options>();
  const task = insideTask();
  const end = performance.now() + wait;
  for (let left = wait; ; left = end - performance.now()) {
    const waitMs = Math.ceil(Math.min(Math.max(left, 0), POLL_MS));
    const asked = { afterSeq: after, limit: 1, waitMs };
    const page =
      wait === Infinity ? await task.commands(asked) : await inTime(task, asked, Math.max(left, 1));
    if (page === undefined) return EXIT.timeout;
    const [first] = page.commands;
    if (first !== undefined) {
      const isUnread = ack === true && first.status === 'pending';
      await printJson(isUnread ? await task.acknowledge(first.seq) : first);
      return EXIT.ok;
    }
    if (left <= 0 || performance.now() >= end) return EXIT.timeout;
    await delay(PAUSE_MS);
  }
}

/** What there is, once the daemon is there; undefined where it is away longer than that. */
async function inTime(
  task: ExecgoTask,
  asked: Parameters<ExecgoTask['commands']>[0],
  leftMs: number,
): Promise<CommandPage | undefined> {
  const end = performance.now() + leftMs;
  try {
    return await task.commands({ ...asked, reconnectMs: Math.min(leftMs, AWAY_MS) });
  } catch (error) {
    // A timer may be a millisecond early.
    if (!(error instanceof ExecgoConnectionError) || performance.now() < end - 1) throw error;
    await note(explain(error));
    return undefined;
  }
}
