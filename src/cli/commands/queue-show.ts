import type { QueueRule, QueueView } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { limitWords } from '../limits-text.js';
import { queueLine } from '../queue-rule.js';
import { isTerminal, plain } from '../terminal.js';
import { formatDuration, formatSize } from '../units.js';
import { note, printJson, printLines } from '../write.js';

/** `execgo queue show`: a queue in some lines for people, the API's object for programs. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'queue show',
    'Shows what holds of a queue, its tasks by status and lane, and those that are next.',
    ['execgo queue show gpu', 'execgo queue show gpu --json | jq .counts'],
  )
    .argument('<name>', 'the queue')
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<{ server: string; json?: boolean }>();
  const view = await connect(options).queue(command.args[0] ?? '');
  if (options.json === true || !isTerminal()) await printJson(view);
  else await printLines(lines(view));
  for (const warning of view.warnings ?? []) await note(warning);
  return EXIT.ok;
}

function lines(view: QueueView): string[] {
  const { counts, lanes, next, oldest_waiting_ms: oldest } = view;
  return [
    queueLine(view),
    ...(view.rule === undefined ? [] : rule(view.rule)),
    `  ended: ${count(counts.success)} success, ${count(counts.failed)} failed, ${count(counts.cancelled)} cancelled`,
    `  last minute: ${count(view.started_per_minute)} started, ${count(view.ended_per_minute)} ended`,
    ...(oldest === undefined ? [] : [`  oldest waiting: ${formatDuration(oldest)}`]),
    ...lanes.map(({ lane, max_running, counts: { running, accepted } }) => {
      const most = max_running === undefined ? '' : ` of ${count(max_running)}`;
      return `  lane ${plain(lane)}: ${count(running)}${most} running, ${count(accepted)} waiting`;
    }),
    ...(view.more_lanes === true ? ['  further lanes are not shown'] : []),
    ...next.map(
      ({ task_id, priority }, i) => `  next ${count(i + 1)}: ${plain(task_id)} (priority ${count(priority)})`,
    ),
  ];
}

function rule({ max_running, max_waiting, priority, default_limits, notify }: QueueRule): string[] {
  const limits = limitsOf(default_limits);
  const said = [
    ...(max_running === undefined ? [] : [`at most ${count(max_running)} running`]),
    ...(max_waiting === undefined ? [] : [`at most ${count(max_waiting)} waiting`]),
    `priority ${count(priority)}`,
  ];
  return [
    `  rule: ${said.join(', ')}`,
    ...(notify ?? []).map(
      ({ when, webhook }) =>
        `  tells ${plain(webhook.url)}: ${when === undefined ? 'any end' : plain(when.join(', '))}`,
    ),
    ...(limits.length === 0 ? [] : [`  limits without a request: ${limits.join(', ')}`]),
  ];
}

function limitsOf({ queue_timeout_ms, ...limits }: QueueRule['default_limits']): string[] {
  const kept = Object.entries(limits).filter(([name]) => /^std(out|err)_/.test(name));
  const bytes = (value: unknown) => (typeof value === 'number' ? formatSize(value) : '');
  return [
    ...limitWords(limits),
    ...(typeof queue_timeout_ms !== 'number' ? [] : [`${formatDuration(queue_timeout_ms)} of waiting`]),
    ...kept.map(([name, value]) => `${plain(name)} ${bytes(value)}`),
  ];
}

const count = String;
