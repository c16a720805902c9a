import { constants } from 'node:os';
import type { CgroupUsage } from '../../sandbox/cgroup/cgroup.js';
import type { ChainSpec } from '../../sandbox/launch.js';
import type { ExitStatus } from '../spawn/launcher.js';
import type { Space } from './disk-worker.js';
import type { StopRequest } from './task-stop.js';
import type { Outcome, OutcomeUsage, Running, StreamOutcome } from '../wire/protocol.js';

const { SIGKILL, SIGXCPU } = constants.signals;
/**
 * When a process has used this share of its CPU limit or more, its end by SIGKILL is put down to the limit. The kernel
 * counts ticks towards the limit but measures usage exactly, and on a busy machine the measured time is less.
 */
const CPU_USED_UP = 0.5;
/** The exit code with which a shell reports that its child died of SIGXCPU. */
const SHELL_SIGXCPU = 128 + SIGXCPU;

/** Everything that was seen of an attempt. */
export interface AttemptEnd {
  launchId: number;
  token: string;
  status: ExitStatus;
  /** When the leader ended: Unix time, and milliseconds on the monotonic clock. */
  atMs: number;
  durationMs: number;
  running?: Running | undefined;
  failure?: Outcome['failure'];
  firstStop?: StopRequest['reason'] | undefined;
  space?: Space | undefined;
  timeoutAtMs?: number | undefined;
  /** The limit that the launch chain has set, in seconds. */
  cpuLimitSec?: number | undefined;
  cgroup?: CgroupUsage | undefined;
  stdout: StreamOutcome;
  stderr: StreamOutcome;
  survivors: number[];
}

/** @returns the outcome to tell the daemon: fields without a value are left out. */
export function outcomeOf(end: AttemptEnd): Outcome {
  const { status, running } = end;
  const oomKills = end.cgroup?.oom_kills ?? 0;
  // When even the launch chain exceeds the memory limit, that is an out-of-memory end of the task, and no failure to set up
  // the limit.
  const failure = status.signal === SIGKILL && oomKills > 0 ? undefined : end.failure;
  const ended =
    status.signal === undefined ? { exit_code: status.exit_code ?? 0 } : { signal: status.signal };
  return {
    launch_id: end.launchId,
    token: end.token,
    ...(failure === undefined ? ended : { failure }),
    ...(failure === undefined && running !== undefined
      ? { pid: running.pid, started_at_ms: running.started_at_ms }
      : {}),
    finished_at_ms: end.atMs,
    duration_ms: failure === undefined ? Math.round(end.durationMs) : 0,
    ...firstStop(end),
    ...(end.timeoutAtMs === undefined ? {} : { timeout_at_ms: end.timeoutAtMs }),
    oom: failure === undefined && oomKills > 0 && status.exit_code !== 0,
    cpu_exceeded: failure === undefined && cpuExceeded(status, end.cpuLimitSec),
    stdout: end.stdout,
    stderr: end.stderr,
    usage: failure === undefined ? usageOf(status, end.cgroup) : {},
    ...(end.survivors.length === 0 ? {} : { survivors: end.survivors }),
  };
}

/** An older daemon knows of no other stops than two. */
function firstStop({ firstStop, space }: AttemptEnd): Pick<Outcome, 'first_stop' | 'disk'> {
  if (firstStop === 'disk') return { disk: space };
  return firstStop === undefined ? {} : { first_stop: firstStop };
}

/** @returns the CPU time in seconds that the chain allows each process; undefined without a limit. */
export function cpuLimitOf(chain: ChainSpec | undefined): number | undefined {
  return chain?.rlimits?.find(({ option }) => option === 't')?.soft;
}

function cpuExceeded(status: ExitStatus, limitSec: number | undefined): boolean {
  if (limitSec === undefined) return false;
  if (status.signal === SIGXCPU) return true;
  const { user_cpu_ms: user, system_cpu_ms: system } = status.usage;
  const isKnown = user !== undefined && system !== undefined;
  const usedUp = isKnown && user + system >= limitSec * 1000 * CPU_USED_UP;
  if (status.exit_code === SHELL_SIGXCPU) return usedUp || !isKnown;
  return status.signal === SIGKILL && usedUp;
}

function usageOf(status: ExitStatus, cgroup: CgroupUsage | undefined): OutcomeUsage {
  const { memory_peak_bytes: peak, oom_kills: oomKills } = cgroup ?? {};
  return {
    ...status.usage,
    ...cpuTime(status, cgroup),
    ...(peak === undefined ? {} : { memory_peak_bytes: peak }),
    ...(oomKills === undefined ? {} : { oom_kills: oomKills }),
  };
}

/**
 * rusage does not include children that were never waited for; the cgroup does not include the time before the process was
 * moved into it.
 */
function cpuTime({ usage }: ExitStatus, cgroup: CgroupUsage | undefined): OutcomeUsage {
  const { user_cpu_ms, system_cpu_ms } = cgroup ?? {};
  if (user_cpu_ms === undefined || system_cpu_ms === undefined) return {};
  const waited = (usage.user_cpu_ms ?? 0) + (usage.system_cpu_ms ?? 0);
  return user_cpu_ms + system_cpu_ms > waited ? { user_cpu_ms, system_cpu_ms } : {};
}
