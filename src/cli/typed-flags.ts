import { ExecgoApiError } from '../client/index.js';
import { LIMITS } from '../sandbox/limits/limits.js';
import { namedResource } from './named-resource.js';
import { formatAmount } from './units.js';

/** A field of the API → what was typed for it. */
type Typed = Readonly<Record<string, string>>;

/** What `run` and `submit` have for the fields of a request. */
export const REQUEST_FLAGS: Typed = {
  task_id: '--id',
  'execution.program': 'the program',
  'execution.args': 'the arguments',
  'execution.script': '--script',
  'execution.interpreter': '--interpreter',
  'execution.cwd': '-C',
  'execution.env': '-e',
  ...Object.fromEntries(LIMITS.map(({ name, flag }) => [`limits.${name}`, `--${flag.name}`])),
  'limits.resources': '--resource',
  'limits.stdout_max_bytes': '--stdout-max',
  'limits.stderr_max_bytes': '--stderr-max',
  'limits.stdout_keep_bytes': '--stdout-keep',
  'limits.stderr_keep_bytes': '--stderr-keep',
  'limits.queue_timeout_ms': '--queue-timeout',
  'sandbox.profile': '--sandbox',
  'sandbox.workspace_subdir': '--workspace-subdir',
  'policy.capability_mode': '--strict',
  'policy.priority': '--priority',
  'policy.retry.max_attempts': '--retries',
  'policy.retry.on': '--retry-on',
  'policy.retry.exit_codes': '--retry-exit-codes',
  'policy.retry.backoff_ms': '--retry-delay',
  'policy.retry.factor': '--retry-factor',
  'policy.retry.max_backoff_ms': '--retry-max-delay',
  'policy.retry.memory_factor': '--retry-memory-factor',
  'policy.on_end.when': '--on-end-when',
  'policy.on_end.submit': '--on-end',
  'policy.on_end': '--on-end',
  'policy.notify.when': '--notify-on',
  'policy.notify.webhook.url': '--notify',
  'policy.notify.webhook.secret_ref': '--notify-secret',
  'policy.notify': '--notify',
  'policy.start_at': '--at',
  'policy.hold': '--hold',
  'policy.after': '--after',
  'policy.concurrency.key': '--concurrency-key',
  'policy.concurrency.limit': '--concurrency-limit',
  'policy.concurrency.on_conflict': '--on-conflict',
  'control_context.tenant': '--tenant',
  'control_context.owner': '--owner',
  'control_context.queue': '--queue',
  'control_context.lane': '--lane',
  'control_context.group': '--group',
  'policy.max_failures': '--max-failures',
  'policy.group_notify.when': '--group-notify-on',
  'policy.group_notify.webhook.url': '--group-notify',
  'policy.group_notify.webhook.secret_ref': '--group-notify-secret',
  'policy.group_notify': '--group-notify',
  'control_context.session_id': '--session',
  'control_context.parent_task_id': '--parent',
  'control_context.labels': '--label',
  'control_context.idempotency_key': '--idempotency-key',
  metadata: '--metadata',
};

/** What is said of a field that must be there and is empty, where a person has typed it. */
const EMPTY: Typed = {
  'execution.program': 'is empty: give the program as the first word after --',
  'execution.script': 'is empty: name a file with the text of a script',
};

/**
 * A refusal in the words of a command line: the API names its fields, and a person has typed flags.
 * @param typed what the command has for the fields that it sends
 * @returns the same error with another message
 */
export function inFlags(error: ExecgoApiError, typed: Typed): ExecgoApiError {
  const { code, status, details, retryAfterMs, server } = error;
  const message = wrongFields(error, typed) ?? tooMuch(error) ?? flagsInText(error.message, typed);
  return new ExecgoApiError(code, message, status, details, retryAfterMs, server);
}

/** A sentence of the daemon with flags in the place of fields. What it quotes stays as it is. */
export function flagsInText(text: string, typed: Typed = REQUEST_FLAGS): string {
  return text
    .split(/("(?:[^"\\]|\\.)*")/)
    .map((part, i) => (i % 2 === 1 ? part : part.replace(/[\w.]*\w/g, (word) => flagOf(word, typed) ?? word)))
    .join('');
}

/** Limits are also named without what they stand in; words of one part are any words. */
function flagOf(word: string, typed: Typed): string | undefined {
  if (word.includes('.')) return own(typed, inAnyPlace(word));
  return word.includes('_') ? (own(typed, `limits.${word}`) ?? own(typed, word)) : undefined;
}

/** Of lists in a policy each entry is typed in the same way. */
function inAnyPlace(field: string): string {
  return field.replace(/^(policy\.[a-z_]+)\.\d+/, '$1');
}

function own(typed: Typed, name: string): string | undefined {
  return Object.hasOwn(typed, name) ? typed[name] : undefined;
}

/** How many wrong fields one line names. */
const NAMED_MAX = 3;

function wrongFields({ code, message, details }: ExecgoApiError, typed: Typed): string | undefined {
  if (code !== 'invalid_input') return undefined;
  const [, only, why = ''] = /^invalid input: ([\w.]+): (.*)$/s.exec(message) ?? [];
  const listed = Array.isArray(details) ? (details as { field?: unknown; problem?: unknown }[]) : [];
  const problems = listed.flatMap(({ field, problem }) =>
    typeof field === 'string' && typeof problem === 'string' ? [inWords(field, problem, typed)] : [],
  );
  if (problems.length === 0) return only && `invalid input: ${inWords(only, why, typed)}`;
  const more = problems.length - NAMED_MAX;
  const rest = more > 0 ? [`and ${String(more)} more`] : [];
  return `invalid input: ${[...problems.slice(0, NAMED_MAX), ...rest].join('; ')}`;
}

function inWords(at: string, problem: string, typed: Typed): string {
  const field = inAnyPlace(at);
  const known = Object.keys(typed).find((name) => field === name || field.startsWith(`${name}.`));
  if (known === undefined) return `${field}: ${problem}`;
  // Behind the name of a map is the key of what is wrong in it; the index in a list says nothing to a person.
  const rest = field.slice(known.length + 1).replace(/^\d+$/, '');
  // Each of a list of ids is typed without a name.
  const key = known === 'policy.after' ? '' : rest;
  const isRequired = problem.startsWith('is required');
  const said = (isRequired ? own(EMPTY, known) : undefined) ?? problem;
  const unit = /\d$/.test(said) ? (/_(ms|bytes)$/.exec(known)?.[1] ?? '') : '';
  return `${typed[known] ?? field}${key === '' ? '' : ` ${key}`}: ${flagsInText(said, typed)}${unit && ` ${unit}`}`;
}

/** More of something than there is at all, in the units in which a person asks for it. */
function tooMuch({ code, message, details }: ExecgoApiError): string | undefined {
  if (code !== 'insufficient_resources' || typeof details !== 'object' || details === null) return undefined;
  const { resource, requested, capacity } = details as Record<string, unknown>;
  const named = typeof resource === 'string' ? namedResource(resource) : undefined;
  if (named !== undefined) {
    const [said, typed] = [
      `resources.${named} ${String(requested)} is`,
      `--resource ${named}=${String(requested)} is`,
    ];
    return message.replace(said, () => typed);
  }
  const limit = LIMITS.find(({ reserves }) => reserves !== undefined && reserves === resource);
  if (limit === undefined || typeof requested !== 'number' || typeof capacity !== 'number') return undefined;
  const amount = (n: number) => formatAmount(n, limit.flag);
  return message
    .replace(
      `${limit.reserves ?? ''} ${String(requested)} is`,
      `--${limit.flag.name} ${amount(requested)} is`,
    )
    .replace(/, \d+$/, `, ${amount(capacity)}`);
}
