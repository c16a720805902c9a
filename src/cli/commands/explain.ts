import type { ExecgoClient, TaskView } from '../../client/index.js';
import { taskCard } from '../card.js';
import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { namedResource } from '../named-resource.js';
import { paint, plain } from '../terminal.js';
import { formatDuration, formatSize } from '../units.js';
import { printLines } from '../write.js';

type Waiting = NonNullable<TaskView['waiting']>;
type Lack = NonNullable<Waiting['lack']>;
type Holder = Awaited<ReturnType<ExecgoClient['resources']>>['active_reservations'][number];

/** How many of the tasks that hold what is missing are named: those that hold most. */
const HOLDERS_SHOWN = 5;

/** `execgo explain`: why a task waits, in words; of any other task what `status` shows to people. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'explain',
    'Says in words why a task waits, and who holds what it needs. Of one that runs or has ended it shows how it is.',
    ['execgo explain my-task'],
  ).argument('<id>', 'the task');
  if (!parse(command, argv)) return EXIT.ok;
  const client = connect(command.opts<{ server: string }>());
  const task = await client.status(command.args[0] ?? '');
  const { waiting } = task;
  if (waiting === undefined) {
    await printLines(taskCard(task, Date.now()));
    return EXIT.ok;
  }
  const { lack } = waiting;
  const holders = lack === undefined ? [] : (await client.resources()).active_reservations;
  await printLines(explanation(task, waiting, holders, Date.now()));
  return EXIT.ok;
}

/** @param reservations all that there are. @param now Unix time in milliseconds */
export function explanation(
  task: TaskView,
  { reason, detail, lack, after, after_count, position, since, until }: Waiting,
  reservations: readonly Holder[],
  now: number,
): string[] {
  const waitsFor = formatDuration(Math.max(0, now - Date.parse(since)));
  return [
    `${paint('bold', plain(task.task_id))} has waited for ${waitsFor}: ${paint('yellow', reason)}`,
    plain(detail),
    // Of all others the detail says it.
    ...(until === undefined || reason !== 'retry_backoff'
      ? []
      : [
          `the next attempt is due in ${formatDuration(Math.max(0, Date.parse(until) - now))}, at ${plain(until)}`,
        ]),
    ...(lack === undefined ? [] : holdersLine(task, lack, reservations)),
    ...(after ?? []).map(
      ({ task_id, when, status }) => `  ${plain(task_id)} is ${status ?? 'over'}; its ${when} is waited for`,
    ),
    ...moreLine((after_count ?? 0) - (after?.length ?? 0)),
    ...(position === undefined ? [] : [place(task, position)]),
  ];
}

function moreLine(more: number): string[] {
  return more > 0 ? [`  and ${String(more)} more`] : [];
}

function holdersLine(task: TaskView, lack: Lack, reservations: readonly Holder[]): string[] {
  const { resource } = lack;
  const of = ({ reservation }: Holder) => amountIn(reservation, resource) ?? 0;
  const held = reservations
    .filter((other) => counts(task, lack, other) && of(other) > 0)
    .sort((a, b) => of(b) - of(a));
  if (held.length === 0) return [];
  const shown = held
    .slice(0, HOLDERS_SHOWN)
    .map((other) => `${plain(other.task_id)} (${amount(resource, of(other))})`);
  const more = held.length - shown.length;
  const who = held.length === 1 ? '1 task holds the rest' : `${String(held.length)} tasks hold the rest`;
  return [`${who}: ${shown.join(', ')}${more === 0 ? '' : ` and ${String(more)} more`}`];
}

function amountIn(reservation: Holder['reservation'], resource: Lack['resource']): number | undefined {
  const named = namedResource(resource);
  const amounts = new Map(Object.entries(named === undefined ? reservation : (reservation.resources ?? {})));
  const amount = amounts.get(named ?? resource);
  return typeof amount === 'number' ? amount : undefined;
}

/** True for a reservation of which a bound takes account. */
function counts(task: TaskView, { of }: Lack, other: Holder): boolean {
  switch (of) {
    case 'machine':
      return true;
    case 'tenant':
      return other.tenant === task.tenant;
    case 'queue':
      return other.queue === task.queue;
    case 'lane':
      return other.queue === task.queue && other.lane === task.lane;
    case 'concurrency':
      return other.tenant === task.tenant && other.concurrency_key === task.concurrency?.key;
  }
}

function amount(resource: Lack['resource'], value: number): string {
  const named = namedResource(resource);
  if (named !== undefined) return `${String(value)} ${plain(named)}`;
  switch (resource as Exclude<typeof resource, `resources.${string}`>) {
    case 'task_slots':
      return value === 1 ? '1 slot' : `${String(value)} slots`;
    case 'cpu_millis':
      return `${String(value / 1000)} cores`;
    case 'memory_bytes':
    case 'disk_bytes':
      return formatSize(value);
    case 'pids':
      return `${String(value)} processes`;
  }
}

function place({ queue, tenant }: TaskView, position: number): string {
  const whose = tenant === undefined ? 'tasks without a tenant' : `tasks of tenant ${plain(tenant)}`;
  return `it is number ${String(position)} of the waiting ${whose} in queue ${plain(queue)}`;
}
