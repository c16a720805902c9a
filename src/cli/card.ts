import type { TaskNode, TaskSummary, TaskView } from '../client/index.js';
import { progressText } from '../task/progress-text.js';
import { limitsText } from './limits-text.js';
import { signalName } from './signal-name.js';
import { paint, paintStatus, plain } from './terminal.js';
import { formatDuration, formatSize } from './units.js';

/** How a task ended, in a few words; empty while it has not ended. */
export function ending(task: {
  cause?: TaskView['cause'];
  exit_code?: number | undefined;
  exit_signal?: number | undefined;
}): string {
  if (task.cause !== undefined && task.cause !== 'exit' && task.cause !== 'signal') return task.cause;
  if (task.exit_code !== undefined) return `exit ${String(task.exit_code)}`;
  return task.exit_signal === undefined ? '' : signalName(task.exit_signal);
}

/** A task on one line. */
export function summaryLine(task: TaskSummary): string {
  const words = [
    plain(task.task_id),
    paintStatus(task.status),
    ending(task),
    task.waiting === undefined ? '' : task.waiting.reason,
    task.paused === true ? 'paused' : '',
    task.status === 'running' && task.progress !== undefined ? plain(progressText(task.progress) ?? '') : '',
  ];
  if (task.duration_ms !== undefined) words.push(paint('dim', formatDuration(task.duration_ms)));
  return words.filter((word) => word !== '').join('  ');
}

/** A task and what is below it, a line each, indented. */
export function taskTree(task: TaskView): string[] {
  return [summaryLine(task), ...branches(task, '  ')];
}

type Branch = Pick<TaskNode, 'children' | 'more_children'>;

function branches({ children = [], more_children }: Branch, indent: string): string[] {
  const lines = children.flatMap((child) => [indent + summaryLine(child), ...branches(child, `${indent}  `)]);
  return more_children === true
    ? [...lines, `${indent}${paint('dim', 'further children are not shown')}`]
    : lines;
}

/** The status of a task for people, line by line. @param now Unix time in milliseconds */
export function taskCard(task: TaskView, now: number): string[] {
  const { usage, execution_plan: plan, error } = task;
  const how = ending(task);
  const rows: [label: string, value: string | undefined][] = [
    ['task', paint('bold', plain(task.task_id))],
    ['status', `${paintStatus(task.status)}${how === '' ? '' : ` (${how})`}${killing(task)}`],
    ['killed', killed(task)],
    ['attempts', attempts(task)],
    ['retry of', task.retry_of === undefined ? undefined : plain(task.retry_of)],
    ['run again', task.retried_as === undefined ? undefined : `as ${plain(task.retried_as)}`],
    ['paused', at(task.paused_at, now)],
    ['progress', progress(task, now)],
    ['waiting', waiting(task.waiting)],
    ['error', error === undefined ? undefined : paint('red', plain(error.message))],
    ['command', plain(task.command)],
    ['directory', plain(task.cwd)],
    ['tenant', task.tenant === undefined ? undefined : plain(task.tenant)],
    ['parent', task.parent_task_id === undefined ? undefined : plain(task.parent_task_id)],
    ['owner', task.owner === undefined ? undefined : plain(task.owner)],
    ['labels', labels(task.labels)],
    ['after', after(task.after)],
    ['limits', limitsText(task.limits)],
    ['resources', items(task.resource_items)],
    ['queue', `${plain(task.queue)}, priority ${String(task.priority)}`],
    ['created', at(task.created_at, now)],
    ['started', at(task.started_at, now)],
    ['finished', at(task.finished_at, now)],
    ['duration', task.duration_ms === undefined ? undefined : formatDuration(task.duration_ms)],
    ['told', told(task.notifications)],
    ['next', followedBy(task.follow_ups)],
    ['pid', task.pid === undefined ? undefined : String(task.pid)],
    ['CPU', cpu(usage)],
    ['memory', memory(usage)],
    ['degraded', plan?.degraded === true ? plain((plan.fallback_reasons ?? []).join('; ')) : undefined],
    ['stdout', output(task.stdout_bytes, task.stdout_omitted_bytes, task.artifacts.stdout_path)],
    ['stderr', output(task.stderr_bytes, task.stderr_omitted_bytes, task.artifacts.stderr_path)],
  ];
  return rows.flatMap(([label, value]) =>
    value === undefined ? [] : [`${paint('dim', label.padEnd(9))} ${value}`],
  );
}

/** How each attempt ended, where there was more than one or will be. */
function attempts({ attempt, attempts: ended = [], status }: TaskView): string | undefined {
  const isFirst = ended.length === 0 || (ended.length === 1 && status !== 'accepted' && attempt === 1);
  if (isFirst) return undefined;
  const words = ended.map((each) => `${String(each.attempt)}: ${ending(each)}`);
  return [...words, ...(status === 'running' ? [`${String(attempt)}: running`] : [])].join(', ');
}

function followedBy(tasks: TaskView['follow_ups']): string | undefined {
  const words = (tasks ?? []).map(({ state, task_id, error }) => {
    if (task_id !== undefined) return plain(task_id);
    const why = error === undefined ? '' : `: ${plain(error.message)}`;
    return `${state === 'refused' ? paint('red', state) : paint('yellow', state)}${why}`;
  });
  return words.length === 0 ? undefined : words.join(', ');
}

/** What has become of the messages about its end. */
function told(messages: TaskView['notifications']): string | undefined {
  const words = (messages ?? []).map(({ to, state, attempts: tries, error }) => {
    const why = error === undefined ? '' : `: ${plain(error)}`;
    if (state === 'delivered') return `${plain(to)} ${paint('green', 'delivered')}`;
    const after = `after ${String(tries)} attempts${why}`;
    return `${plain(to)} ${state === 'pending' ? paint('yellow', 'pending') : paint('red', 'given up')} ${after}`;
  });
  return words.length === 0 ? undefined : words.join(', ');
}

function progress({ progress: said }: TaskView, now: number): string | undefined {
  const text = said && progressText(said);
  return text === undefined ? undefined : `${plain(text)} ${at(said?.at, now)?.replace(/^\S+ /, '') ?? ''}`;
}

function labels(texts: TaskView['labels']): string | undefined {
  const words = Object.entries(texts ?? {}).map(([key, value]) => `${key}=${value}`);
  return words.length === 0 ? undefined : plain(words.join(', '));
}

function items(own: TaskView['resource_items']): string | undefined {
  if (own === undefined) return undefined;
  return plain(
    Object.entries(own)
      .map(([name, names]) => `${name} ${names.join(', ')}`)
      .join('; '),
  );
}

function waiting(why: TaskView['waiting']): string | undefined {
  if (why === undefined) return undefined;
  const place = why.position === undefined ? '' : paint('dim', ` (number ${String(why.position)})`);
  return `${paint('yellow', `${why.reason}: ${plain(why.detail)}`)}${place}`;
}

/** How many of the tasks that one starts after are named. */
const AFTER_SHOWN = 5;

function after(conditions: TaskView['after']): string | undefined {
  if (conditions === undefined) return undefined;
  const shown = conditions.slice(0, AFTER_SHOWN).map(({ task_id, when }) => `${plain(task_id)} (${when})`);
  const more = conditions.length - shown.length;
  return [...shown, ...(more > 0 ? [`${String(more)} more`] : [])].join(', ');
}

function killing(task: TaskView): string {
  return task.kill_requested && task.status === 'running' ? ', kill requested' : '';
}

/** Who asked for its end and why, where that was said. */
function killed({ kill_requested_by: by, kill_reason: reason }: TaskView): string | undefined {
  if (by === undefined) return reason === undefined ? undefined : plain(reason);
  return plain(reason === undefined ? `by ${by}` : `by ${by}: ${reason}`);
}

function at(time: string | undefined, now: number): string | undefined {
  if (time === undefined) return undefined;
  return `${time} ${paint('dim', `(${formatDuration(Math.max(0, now - Date.parse(time)))} ago)`)}`;
}

function cpu(usage: TaskView['usage']): string | undefined {
  const parts = [
    usage?.user_cpu_ms === undefined ? undefined : `${formatDuration(usage.user_cpu_ms)} user`,
    usage?.system_cpu_ms === undefined ? undefined : `${formatDuration(usage.system_cpu_ms)} system`,
    usage?.cpu_percent === undefined ? undefined : `${usage.cpu_percent.toFixed(0)} % now`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : parts.join(', ');
}

function memory(usage: TaskView['usage']): string | undefined {
  const peak = usage?.memory_peak_bytes ?? usage?.max_rss_bytes;
  const parts = [
    usage?.memory_bytes === undefined ? undefined : `${formatSize(usage.memory_bytes)} now`,
    peak === undefined ? undefined : `${formatSize(peak)} at most`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : parts.join(', ');
}

function output(bytes: number, omitted: number | undefined, path: string): string {
  return `${formatSize(bytes)}${omitted === undefined ? '' : paint('yellow', `, ${formatSize(omitted)} of it not kept`)}  ${paint('dim', plain(path))}`;
}
