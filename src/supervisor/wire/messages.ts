import { isPlainObject } from '../../task/plain-object.js';
import type { DaemonMessage, SupervisorMessage } from './protocol.js';

/** Checks the shape of a value that came over the socket. Unknown fields are allowed: the other side may be newer. */
type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === 'string';
const flag: Check = (value) => typeof value === 'boolean';
const whole: Check = (value) => Number.isSafeInteger(value);
const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const milliseconds: Check = (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const signal: Check = (value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 64;
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const list =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const oneOf =
  (...words: string[]): Check =>
  (value) =>
    words.includes(value as string);
const shape = (fields: Record<string, Check>): Check => {
  const checks = Object.entries(fields);
  return (value) => isPlainObject(value) && checks.every(([name, check]) => check(value[name]));
};
const textMap: Check = (value) => isPlainObject(value) && Object.values(value).every(text);
const argv: Check = (value) => list(text)(value) && (value as string[]).length > 0;

const stream = shape({ path: text, max_bytes: count, tail_path: text });
const cgroupDir = shape({
  path: text,
  settings: list((pair) => Array.isArray(pair) && pair.length === 2 && pair.every(text)),
});
const cgroup = shape({
  track: cgroupDir,
  kill_file: flag,
  freezer: optional(oneOf('v2', 'v1')),
  limits: list(cgroupDir),
  peak_file: optional(text),
  oom_file: optional(text),
  cpu_file: optional(text),
});
const rlimit = shape({ option: text, or: optional(text), soft: count, hard: count, what: text });
const chain = shape({
  rlimits: optional(list(rlimit)),
  wrappers: list(list(text)),
  forks: optional(flag),
  become: optional(list(text)),
  output_owner: optional(shape({ uid: count, gid: count })),
  make_cwd: optional(text),
  chroot: optional(list(text)),
  shell: optional(flag),
});
const launchSpec = shape({
  argv,
  env: textMap,
  cwd: text,
  stdout: stream,
  stderr: stream,
  wall_time_ms: milliseconds,
  grace_ms: milliseconds,
  cgroup: optional(cgroup),
  chain: optional(chain),
  disk: optional(shape({ dir: text, names: list(text), max_bytes: count })),
});
const running = shape({
  launch_id: whole,
  token: text,
  pid: count,
  start_ticks: count,
  started_at_ms: milliseconds,
  paused_at_ms: optional(milliseconds),
});
const streamOutcome = shape({ bytes: count, kept_bytes: count, error: optional(text) });
const outcome = shape({
  launch_id: whole,
  token: text,
  exit_code: optional(count),
  signal: optional(count),
  failure: optional(shape({ stage: oneOf('launch', 'sandbox'), message: text })),
  pid: optional(count),
  started_at_ms: optional(milliseconds),
  finished_at_ms: milliseconds,
  duration_ms: milliseconds,
  first_stop: optional(oneOf('timeout', 'kill')),
  timeout_at_ms: optional(milliseconds),
  oom: flag,
  cpu_exceeded: flag,
  disk: optional(shape({ bytes: count, too_deep: optional(flag) })),
  stdout: streamOutcome,
  stderr: streamOutcome,
  usage: isPlainObject,
  survivors: optional(list(count)),
});

const DAEMON_MESSAGES: Record<DaemonMessage['type'], Check> = {
  hello: shape({ protocol: whole, version: text, nonce: text }),
  list: shape({}),
  launch: shape({ version: whole, launch_id: whole, task_id: text, token: text }),
  kill: shape({ launch_id: whole, signal: optional(signal), grace_ms: optional(milliseconds) }),
  pause: shape({ launch_id: whole }),
  resume: shape({ launch_id: whole }),
  ack: shape({ launch_ids: list(whole) }),
  drain: shape({}),
};

const SUPERVISOR_MESSAGES: Record<SupervisorMessage['type'], Check> = {
  hello: shape({
    protocol: whole,
    launch_version: whole,
    version: text,
    incarnation: text,
    pid: count,
    proof: text,
  }),
  running: shape({ launches: list(running) }),
  listed: shape({}),
  started: shape({ launch: running }),
  timeout: shape({ launch_id: whole, at_ms: milliseconds }),
  paused: shape({ launch_id: whole, at_ms: milliseconds }),
  resumed: shape({ launch_id: whole, at_ms: milliseconds, reason: optional(text) }),
  outcome: shape({ outcome }),
  refused: shape({ launch_id: whole, reason: text }),
};

/**
 * @param launchVersion the version of launch messages that is understood here: the spec of any other version is not checked.
 * @returns the message, or undefined when the value is not a valid one.
 */
export function parseDaemonMessage(value: unknown, launchVersion: number): DaemonMessage | undefined {
  if (!matches(value, DAEMON_MESSAGES)) return undefined;
  const message = value as DaemonMessage;
  if (message.type === 'launch' && message.version === launchVersion && !launchSpec(message.spec))
    return undefined;
  return message;
}

/** @returns the message, or undefined when the value is not a valid one. */
export function parseSupervisorMessage(value: unknown): SupervisorMessage | undefined {
  return matches(value, SUPERVISOR_MESSAGES) ? (value as SupervisorMessage) : undefined;
}

/** The attempt that an invalid message is about, so that its sender can be answered. */
export interface GarbledSubject {
  launch_id: number;
  token: string | undefined;
}

/** @returns the attempt that an invalid launch message is about, if it says that much. */
export function subjectOfLaunch(value: unknown): GarbledSubject | undefined {
  return isPlainObject(value) && value.type === 'launch' ? subjectOf(value) : undefined;
}

/** @returns the attempt that an invalid outcome message is about, if it says that much. */
export function subjectOfOutcome(value: unknown): GarbledSubject | undefined {
  return isPlainObject(value) && value.type === 'outcome' ? subjectOf(value.outcome) : undefined;
}

function subjectOf(value: unknown): GarbledSubject | undefined {
  if (!isPlainObject(value) || !whole(value.launch_id)) return undefined;
  const { launch_id, token } = value;
  return { launch_id: launch_id as number, token: typeof token === 'string' ? token : undefined };
}

function matches(value: unknown, messages: Record<string, Check>): boolean {
  if (!isPlainObject(value) || typeof value.type !== 'string' || !Object.hasOwn(messages, value.type))
    return false;
  return messages[value.type]?.(value) ?? false;
}
