import type { CommandView } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { ownerOption } from '../each-task.js';
import { EXIT } from '../exit-codes.js';
import { parseJsonValue } from '../inside-task.js';
import { isTerminal, plain } from '../terminal.js';
import { parseDuration } from '../units.js';
import { note, printJson, printLines } from '../write.js';

/** The longest that the daemon holds a request, in milliseconds. */
const POLL_MS = 60_000;

interface Options {
  server: string;
  owner?: string;
  key?: string;
  wait?: number;
  json?: boolean;
}

/** `execgo command send`: says something to a task, and waits for what comes of it if asked to. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'command send',
    'Says something to a task that waits or runs. With --wait it exits with 0 only if the task has done it.',
    [
      'execgo command send my-task checkpoint',
      `execgo command send my-task set '{"learning_rate": 0.001}' --key step-7 --wait 1m`,
    ],
  )
    .argument('<id>', 'the task')
    .argument('<type>', 'what is wanted, in a word that the task knows')
    .argument('[payload]', 'what belongs to it, as JSON; null without it')
    .option('--key <text>', 'sent again with the same key it is the same command')
    .option('--wait <duration>', 'wait so long until the task has carried it out', parseDuration)
    .addOption(ownerOption())
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const { server, owner, key, wait, json } = command.opts<Options>();
  const [id = '', type = '', payload] = command.args;
  const { commands } = connect({ server });
  const request = {
    type,
    ...(payload === undefined ? {} : { payload: parseJsonValue(payload, 'the payload') }),
    ...(key === undefined ? {} : { idempotency_key: key }),
  };
  let view = await commands.send(id, request, { owner: owner === '' ? undefined : owner });
  const end = performance.now() + (wait ?? 0);
  for (let left = wait ?? 0; left > 0 && isOpen(view); left = end - performance.now())
    view = await commands.get(id, view.seq, { waitMs: Math.ceil(Math.min(left, POLL_MS)) });
  if (json === true || !isTerminal()) await printJson(view);
  else await printLines([line(view)]);
  if (wait === undefined || view.status === 'completed') return EXIT.ok;
  if (!isOpen(view)) return EXIT.failed;
  await note(`the task has not carried out command ${String(view.seq)} yet: it is ${view.status}`);
  return EXIT.timeout;
}

const isOpen = ({ status }: CommandView) => status === 'pending' || status === 'acknowledged';

function line({ task_id, seq, status, result, error }: CommandView): string {
  const said = error ?? (result === undefined ? '' : JSON.stringify(result));
  return `${plain(task_id)}  command ${String(seq)}  ${status}${said === '' ? '' : `  ${plain(said)}`}`;
}
