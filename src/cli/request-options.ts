import { Option, type Command } from 'commander';
import type { TaskSubmission } from '../client/index.js';
import {
  addEditableOptions,
  givenAfter,
  givenLimits,
  group,
  type EditableOptions,
} from './editable-options.js';
import { startDirectory, type StartDirectoryOptions } from './start-directory.js';
import { startAtOf } from './start-time.js';
import { readInput, readWhole } from './read-input.js';
import { collectPair, parseInteger } from './units.js';
import { addRetryOptions, retryPolicy, type RetryOptions } from './retry-options.js';
import {
  addGroupNotifyOptions,
  addNotifyOptions,
  collectText,
  groupNotifyPolicy,
  notifyPolicy,
  words,
  type GroupNotifyOptions,
  type NotifyOptions,
} from './notify-options.js';
import { UsageError } from './usage-error.js';

type OnEndList = NonNullable<NonNullable<TaskSubmission['policy']>['on_end']>;

/** No limit on wall time. */
const NO_WALL_TIME = 0;

/** The options of `submit` and `run` that describe a task; those for its limits come from {@link addEditableOptions}. */
export interface RequestOptions
  extends StartDirectoryOptions, EditableOptions, RetryOptions, NotifyOptions, GroupNotifyOptions {
  json?: string;
  file?: string;
  id?: string;
  env?: Record<string, string>;
  script?: string;
  interpreter?: string;
  session?: string;
  parent?: string;
  tenant?: string;
  owner?: string;
  idempotencyKey?: string;
  group?: string;
  maxFailures?: number;
  concurrencyKey?: string;
  concurrencyLimit?: number;
  onConflict?: 'wait' | 'replace_waiting' | 'cancel_running' | 'reject';
  onEnd?: string[];
  onEndWhen?: string[];
  sandbox?: 'process' | 'linux_sandbox';
  strict?: boolean;
}

/** Adds the flags of {@link RequestOptions} and the command as positional arguments. */
export function addRequestOptions(command: Command): Command {
  return addTaskOptions(
    command.argument('[command...]', 'the program and its arguments, after --').passThroughOptions(),
  );
}

/** Adds all of them but the command. */
export function addTaskOptions(command: Command): Command {
  command
    .option('--script <file>', 'run this script instead of a command; - reads it from standard input')
    .option('--interpreter <words>', 'what runs the script, such as "python3 -u"; /bin/sh without it')
    .option('-C, --cwd <dir>', 'where the task starts; where this command is called without it')
    .option('--workspace', 'start in an empty directory of its own, as with a daemon on another machine')
    .option('--id <id>', 'the task id; a random one without it')
    .option('-e, --env <key=value>', 'an environment variable of the task; repeatable', collectPair);
  return addGroupNotifyOptions(addNotifyOptions(addRetryOptions(addEditableOptions(command))))
    .option('--hold', 'do not start before "execgo release" lets it')
    .option('--session <id>', 'start in the workspace of this session, after its earlier tasks')
    .option(
      '--on-end <file>',
      'submit the request in this file when it has ended, exactly once; repeatable',
      collectText,
    )
    .option(
      '--on-end-when <words>',
      'only at an end with one of these statuses or causes; without it at any',
      words,
    )
    .option('--parent <id>', 'the task whose child it is, such as "$EXECGO_TASK_ID" inside of one')
    .option('--tenant <name>', 'whose quota it counts against')
    .addOption(new Option('--owner <name>', 'who alone may cancel it').env('EXECGO_RUNTIME_OWNER'))
    .option('--group <name>', 'tasks that are counted, waited for and ended together')
    .option('--max-failures <n>', 'stop the rest of the group when so many of it have failed', parseInteger)
    .option('--concurrency-key <key>', 'of the tasks with the same one only so many run at once')
    .option('--concurrency-limit <n>', 'how many; 1 without it', parseInteger)
    .addOption(
      new Option('--on-conflict <what>', 'what becomes of it, or of others, when so many run').choices([
        'wait',
        'replace_waiting',
        'cancel_running',
        'reject',
      ]),
    )
    .option('--idempotency-key <key>', 'the same key and request never make a second task')
    .addOption(new Option('--sandbox <profile>', 'isolation').choices(['process', 'linux_sandbox']))
    .option('--workspace-subdir <path>', 'start in this directory of its own')
    .option('--strict', 'refuse the task when a limit or isolation cannot be enforced')
    .option('--json <request>', 'the whole request as JSON, instead of all flags above')
    .option('--file <file>', 'the same from a file; - reads standard input');
}

/** True for the old form, in which the whole request is given as JSON and the answer is printed as JSON. */
export function isWholeRequest(options: RequestOptions): boolean {
  return options.json !== undefined || options.file !== undefined;
}

/** @throws UsageError when the flags do not describe one task. */
export function buildRequest(options: RequestOptions, words: readonly string[]): TaskSubmission {
  if (isWholeRequest(options)) return wholeRequest(options, words);
  return {
    task_id: options.id,
    execution: execution(options, words),
    ...group('limits', {
      // Somebody who starts a command at a shell expects it to run as long as it needs.
      wall_time_ms: NO_WALL_TIME,
      ...givenLimits(options),
    }),
    ...group('sandbox', { profile: options.sandbox, workspace_subdir: options.workspaceSubdir }),
    ...group('policy', {
      capability_mode: options.strict === true ? ('strict' as const) : undefined,
      priority: options.priority,
      retry: retryPolicy(options),
      notify: notifyPolicy(options),
      start_at: startAtOf(options, Date.now()),
      hold: options.hold,
      after: givenAfter(options),
      concurrency: concurrency(options),
      max_failures: options.maxFailures,
      group_notify: groupNotifyPolicy(options),
      on_end: followUps(options),
    }),
    ...group('control_context', {
      tenant: options.tenant,
      owner: options.owner,
      labels: options.label,
      idempotency_key: options.idempotencyKey,
      queue: options.queue,
      lane: options.lane,
      session_id: options.session,
      group: options.group,
      parent_task_id: options.parent,
    }),
    metadata: options.metadata,
  };
}

/** @throws UsageError for flags that say nothing without a key */
function concurrency({
  concurrencyKey: key,
  concurrencyLimit: limit,
  onConflict: on_conflict,
}: RequestOptions) {
  if (key !== undefined) return { key, limit, on_conflict };
  if (limit !== undefined || on_conflict !== undefined)
    throw new UsageError('--concurrency-limit and --on-conflict go with --concurrency-key');
  return undefined;
}

/** Flags that are allowed beside a whole request, because they do not describe the task. */
const BESIDE_WHOLE = new Set([
  'json',
  'file',
  'server',
  'output',
  'dryRun',
  'timeoutMs',
  'pollIntervalMs',
  'owner',
]);

function wholeRequest(options: RequestOptions, words: readonly string[]): TaskSubmission {
  const other = Object.keys(options).find((key) => !BESIDE_WHOLE.has(key));
  if (other !== undefined || words.length > 0)
    throw new UsageError(
      '--json and --file hold the whole request: give no command and no flags of a task beside them',
    );
  return readWhole(options) as TaskSubmission;
}

/** @throws UsageError for a file that holds no request */
function followUps({ onEnd, onEndWhen }: RequestOptions): OnEndList | undefined {
  if (onEnd === undefined && onEndWhen === undefined) return undefined;
  if (onEnd === undefined)
    throw new UsageError('--on-end-when goes with --on-end, which says what is submitted');
  return onEnd.map((file) => ({
    when: onEndWhen as OnEndList[number]['when'],
    submit: readWhole({ file }) as OnEndList[number]['submit'],
  }));
}

function execution(options: RequestOptions, words: readonly string[]): TaskSubmission['execution'] {
  const common = { env: options.env, cwd: startDirectory(options) };
  if (options.script !== undefined) {
    if (words.length > 0) throw new UsageError('give a command or --script, not both');
    const interpreter = options.interpreter?.split(/\s+/).filter((word) => word !== '');
    return { kind: 'script', script: readInput(options.script), interpreter, ...common };
  }
  const [program, ...args] = words;
  if (program === undefined)
    throw new UsageError('nothing to run: give a command after --, --script, --json or --file');
  if (options.interpreter !== undefined) throw new UsageError('--interpreter goes with --script');
  return { kind: 'command', program, args, ...common };
}
