import type { Command } from 'commander';
import type { TaskSubmission } from '../client/index.js';
import { addLimitOptions, limitsOf } from './limit-options.js';
import { addStartTimeOptions, type StartTimeOptions } from './start-time.js';
import { collectPair, parseDuration, parseInteger, parseSize } from './units.js';

/** What the flags say that a task has from its submit on, and that may be changed while it waits, beside its limits. */
export interface EditableOptions extends StartTimeOptions {
  stdoutMax?: number;
  stderrMax?: number;
  stdoutKeep?: number;
  stderrKeep?: number;
  queueTimeout?: number;
  priority?: number;
  after?: string[];
  afterAny?: string[];
  afterFailure?: string[];
  queue?: string;
  lane?: string;
  label?: Record<string, string>;
  metadata?: Record<string, string>;
}

/** Adds the flags of {@link EditableOptions} and those for limits. */
export function addEditableOptions(command: Command): Command {
  return addStartTimeOptions(addLimitOptions(command))
    .option('--stdout-max <size>', 'how much of its standard output a status shows', parseSize)
    .option('--stderr-max <size>', 'how much of its standard error a status shows', parseSize)
    .option('--stdout-keep <size>', 'how much of its standard output is kept, 64M without it', parseSize)
    .option('--stderr-keep <size>', 'how much of its standard error is kept, 64M without it', parseSize)
    .option('--queue-timeout <duration>', 'fail the task when it waits longer than this', parseDuration)
    .option('--priority <n>', 'tasks with a greater one start first; 0 without it', parseInteger)
    .option('--after <ids>', 'start when these tasks, separated by commas, have succeeded', taskIds)
    .option('--after-any <ids>', 'start when these have ended, however they did', taskIds)
    .option('--after-failure <ids>', 'start when these have failed or were cancelled', taskIds)
    .option('--queue <name>', 'where it waits; "execgo queue" says what holds of it')
    .option('--lane <name>', 'a part of the queue, which may have a bound of its own')
    .option('--label <key=value>', 'a label to list by; repeatable', collectPair)
    .option('--metadata <key=value>', 'something to remember with the task; repeatable', collectPair);
}

/** Several of the same flag add up. */
function taskIds(text: string, before: string[] | undefined): string[] {
  const ids = text.split(',').map((id) => id.trim());
  return [...(before ?? []), ...ids.filter((id) => id !== '')];
}

/** The tasks to start after; undefined when no flag names any, an empty list when one names none. */
export function givenAfter({ after, afterAny, afterFailure }: EditableOptions) {
  const given = [
    ['success', after],
    ['end', afterAny],
    ['failure', afterFailure],
  ] as const;
  if (given.every(([, ids]) => ids === undefined)) return undefined;
  return given.flatMap(([when, ids = []]) => ids.map((task_id) => ({ task_id, when })));
}

/** The limits that were given, under their names in a request; undefined for the others. */
export function givenLimits(options: EditableOptions): NonNullable<TaskSubmission['limits']> {
  return {
    ...limitsOf(options),
    stdout_max_bytes: options.stdoutMax,
    stderr_max_bytes: options.stderrMax,
    stdout_keep_bytes: options.stdoutKeep,
    stderr_keep_bytes: options.stderrKeep,
    queue_timeout_ms: options.queueTimeout,
  };
}

/** `{ [name]: values }` without the values that are undefined; an empty object when all are. */
export function group<N extends string, T extends object>(name: N, values: T): Partial<Record<N, T>> {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  return given.length === 0 ? {} : ({ [name]: Object.fromEntries(given) } as Partial<Record<N, T>>);
}
