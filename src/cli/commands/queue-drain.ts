import { setTimeout as sleep } from 'node:timers/promises';
import {
  ExecgoApiError,
  ExecgoConnectionError,
  type ExecgoClient,
  type QueueView,
} from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { changeRule, printQueue, queueLine } from '../queue-rule.js';
import { parseDuration } from '../units.js';
import { note } from '../write.js';

/** How long to wait for a task that is being started, in milliseconds. */
const STARTING_MS = 50;
/** How long one request waits for the end of a task, in milliseconds. */
const POLL_MS = 60_000;

interface Options {
  server: string;
  timeout?: number;
  json?: boolean;
}

/** `execgo queue drain`: pauses a queue, and returns when none of its tasks runs. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'queue drain',
    'Pauses a queue, and returns once none of its tasks runs or is being started. It stays paused; what waits stays.',
    ['execgo queue drain gpu', 'execgo queue drain gpu --timeout 10m && echo "the card is free"'],
  )
    .argument('<name>', 'the queue')
    .option('--timeout <duration>', 'exit 124 when some still run after this; it stays paused', parseDuration)
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<Options>();
  const name = command.args[0] ?? '';
  const client = connect(options);
  await changeRule(client, name, (rule) => ({ ...rule, paused: true }));
  const end = performance.now() + (options.timeout ?? Infinity);
  for (;;) {
    const view = await client.queue(name, { patient: true });
    if (view.slots_in_use === 0) {
      await printQueue(view, options.json === true);
      return EXIT.ok;
    }
    const leftMs = end - performance.now();
    if (leftMs <= 0) {
      client.close();
      await note(`${queueLine(view)}: not drained in time`);
      return EXIT.timeout;
    }
    await untilOneEnds(client, view, leftMs);
  }
}

/** Waits for the end of one running task of the queue, or not longer than that. */
async function untilOneEnds(client: ExecgoClient, { queue }: QueueView, leftMs: number): Promise<void> {
  const waitMs = Math.ceil(Math.min(leftMs, POLL_MS));
  try {
    const { tasks } = await client.list({ queue, status: ['running'], limit: 1 });
    const [task] = tasks;
    if (task === undefined) await sleep(Math.min(STARTING_MS, waitMs));
    else await client.status(task.task_id, { waitMs });
  } catch (error) {
    // It may have been collected, or the daemon restarts: how the queue is then tells more.
    const passes = error instanceof ExecgoConnectionError || error instanceof ExecgoApiError;
    if (!passes) throw error;
    await sleep(Math.min(STARTING_MS, waitMs));
  }
}
