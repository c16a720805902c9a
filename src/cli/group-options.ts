import type { Command } from 'commander';
import type { GroupView } from '../client/index.js';
import { paint, plain } from './terminal.js';
import { UsageError } from './usage-error.js';

/** The flags of commands that take a group in the place of tasks. */
export interface GroupOptions {
  group?: string;
  tenant?: string;
}

/** Adds the flags of {@link GroupOptions}. */
export function addGroupOptions(command: Command): Command {
  return command
    .option('--group <name>', 'all tasks of this group, instead of ids')
    .option('--tenant <name>', 'whose group it is');
}

/**
 * The group that was given in the place of tasks; undefined where tasks were.
 * @throws UsageError when neither was given, or both
 */
export function groupInstead({ group, tenant }: GroupOptions, ids: readonly string[]): string | undefined {
  if (group === '') throw new UsageError('--group must not be empty');
  if (group !== undefined && ids.length > 0) throw new UsageError('give ids or --group, not both');
  if (group !== undefined) return group;
  if (tenant !== undefined) throw new UsageError('--tenant goes with --group');
  if (ids.length === 0)
    throw new UsageError('name a task or --group (execgo list shows the tasks there are)');
  return undefined;
}

/** A group for people, line by line. */
export function groupLines(view: GroupView): string[] {
  const { accepted, running, success, failed, cancelled } = view.counts;
  const state = view.stopped === true ? 'stopped' : view.done ? 'done' : 'going on';
  const live = `${String(accepted)} waiting, ${String(running)} running`;
  const ended = `${String(success)} success, ${String(failed)} failed, ${String(cancelled)} cancelled`;
  const again = view.retried === undefined ? '' : `; ${String(view.retried)} run again`;
  return [
    `${paint('bold', plain(view.group))}  ${paint('yellow', state)}  ${live}, ${ended}${again}`,
    ...(view.max_failures === undefined
      ? []
      : [`  stops at ${String(view.max_failures)} ${view.max_failures === 1 ? 'failure' : 'failures'}`]),
    ...(view.notify ?? []).map(
      ({ to, when }) => `  tells ${plain(to)}${when === undefined ? '' : ` when ${when.join(', ')}`}`,
    ),
    ...(view.notifications ?? []).map(
      ({ to, state, attempts, error }) =>
        `  message to ${plain(to)}: ${state === 'given_up' ? 'given up' : state} after ${String(attempts)} ${attempts === 1 ? 'attempt' : 'attempts'}${error === undefined ? '' : ` (${plain(error)})`}`,
    ),
    ...view.failures.map(
      ({ task_id, error, cause }) => `  failed: ${plain(task_id)}  ${plain(error?.message ?? cause)}`,
    ),
  ];
}
