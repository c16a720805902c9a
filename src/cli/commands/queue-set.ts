import type { QueueRule, QueueRuleRequest } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { addLimitOptions, limitsOf } from '../limit-options.js';
import { addNotifyOptions, notifyPolicy, type NotifyList, type NotifyOptions } from '../notify-options.js';
import { changeRule, printQueue } from '../queue-rule.js';
import { parseCount, parseDuration, parseInteger, parseSize } from '../units.js';
import { UsageError } from '../usage-error.js';

/** Not null: that is a flag without a value for commander. */
type Bound = number | 'none';

interface Options extends NotifyOptions {
  server: string;
  maxRunning?: Bound;
  maxWaiting?: Bound;
  priority?: number;
  lane?: Map<string, Bound>;
  queueTimeout?: number;
  stdoutKeep?: number;
  stderrKeep?: number;
  clearLimits?: boolean;
  clearNotify?: boolean;
  json?: boolean;
}

/** `execgo queue set`: changes those parts of a queue's rule that flags name. */
export async function main(argv: readonly string[]): Promise<number> {
  const built = clientCommand(
    'queue set',
    'Says what holds of a queue, at once and for good; what no flag names stays. The limits are those of tasks that name none of their own.',
    [
      'execgo queue set gpu --max-running 2 --max-waiting 5000',
      'execgo queue set nightly --priority -10 --lane backup=1 --wall-time 2h --memory 4G',
      'execgo queue set gpu --max-running none --clear-limits',
      'execgo queue set nightly --notify https://ci.example.com/hook --notify-on failed --notify-secret ci',
    ],
  )
    .argument('<name>', 'the queue, which need not have tasks')
    .option('--max-running <n>', 'how many of its tasks may run at once, or none for no bound', parseBound)
    .option('--max-waiting <n>', 'how many of its tasks may wait, or none for no bound', parseBound)
    .option('--priority <n>', 'queues with a greater one come first; 0 without it', parseInteger)
    .option('--lane <name=n>', 'how many of a lane may run, or none for no bound; repeatable', collectLane)
    .option('--clear-limits', 'forget the limits that the queue has before those that are given');
  const command = addNotifyOptions(addLimitOptions(built), 'a task of it')
    .option('--stdout-keep <size>', 'how much of its standard output is kept', parseSize)
    .option('--stderr-keep <size>', 'how much of its standard error is kept', parseSize)
    .option('--queue-timeout <duration>', 'fail a task when it waits longer than this', parseDuration)
    .option('--clear-notify', 'tell nobody of ends but those that are given')
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<Options>();
  if (Object.keys(options).every((name) => name === 'server' || name === 'json'))
    throw new UsageError('nothing to set: see execgo queue set --help');
  const client = connect(options);
  const view = await changeRule(client, command.args[0] ?? '', (rule) => changed(rule, options));
  await printQueue(view, options.json === true);
  return EXIT.ok;
}

/** The rule with what flags name. */
function changed(rule: QueueRule | undefined, options: Options): QueueRuleRequest {
  const { maxRunning, maxWaiting, priority, lane = new Map<string, Bound>() } = options;
  const limits = {
    ...limitsOf(options),
    stdout_keep_bytes: options.stdoutKeep,
    stderr_keep_bytes: options.stderrKeep,
    queue_timeout_ms: options.queueTimeout,
  };
  const named = Object.entries(limits).filter(([, value]) => value !== undefined);
  const kept = options.clearLimits === true ? {} : rule?.default_limits;
  const resources = { ...(kept?.['resources'] as object | undefined), ...limits.resources };
  const lanes = [...lane].map(
    ([name, max_running]) => [name, { max_running: boundOf(max_running) }] as const,
  );
  return {
    ...rule,
    notify: notifyOf(rule?.notify, options),
    ...(maxRunning === undefined ? {} : { max_running: boundOf(maxRunning) }),
    ...(maxWaiting === undefined ? {} : { max_waiting: boundOf(maxWaiting) }),
    ...(priority === undefined ? {} : { priority }),
    default_limits: {
      ...kept,
      ...(Object.fromEntries(named) as Record<string, number>),
      ...(Object.keys(resources).length === 0 ? {} : { resources }),
    },
    lanes: { ...rule?.lanes, ...Object.fromEntries(lanes) },
  };
}

/** Whom the queue tells: who is named again takes the place of what was said of them. @throws UsageError */
function notifyOf(before: QueueRule['notify'] = [], options: Options): NotifyList {
  const added = notifyPolicy(options) ?? [];
  const urls = added.map(({ webhook }) => webhook.url);
  const kept = options.clearNotify === true ? [] : before;
  return [...kept.filter(({ webhook }) => !urls.includes(webhook.url)), ...added];
}

/** @throws UsageError */
function parseBound(text: string): Bound {
  return text === 'none' ? text : parseCount(text);
}

/** @returns null where no bound holds any more */
function boundOf(bound: Bound): number | null {
  return bound === 'none' ? null : bound;
}

/** @throws UsageError */
function collectLane(text: string, previous = new Map<string, Bound>()): Map<string, Bound> {
  const at = text.lastIndexOf('=');
  if (at < 1) throw new UsageError(`"${text}" is not NAME=N`);
  return previous.set(text.slice(0, at), parseBound(text.slice(at + 1)));
}
