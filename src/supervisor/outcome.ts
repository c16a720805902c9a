import { constants } from 'node:os';
import type { CgroupUsage } from '../sandbox/cgroup.js';
import type { ExitStatus } from './launcher.js';
import type { Outcome, OutcomeUsage, Running, StreamOutcome } from './protocol.js';

const { SIGKILL, SIGXCPU } = constants.signals;
/** How a shell passes on that its child died of SIGXCPU. */
const SHELL_SIGXCPU = 128 + SIGXCPU;

/** Everything that was seen of a launch. */
export interface LaunchEnd {
  launchId: number;
  token: string;
  status: ExitStatus;
  /** Of the leader: Unix time, and milliseconds on the monotonic clock. */
  atMs: number;
  durationMs: number;
  running?: Running | undefined;
  failure?: Outcome['failure'];
  firstStop?: Outcome['first_stop'];
  timeoutAtMs?: number | undefined;
  /** The limit that the launch chain has set, in seconds. */
  cpuLimitSec?: number | undefined;
  cgroup?: CgroupUsage | undefined;
  stdout: StreamOutcome;
  stderr: StreamOutcome;
  survivors: number[];
}

/** @returns the outcome as the daemon is told it: fields without a value are left out. */
export function outcomeOf(end: LaunchEnd): Outcome {
  const { status, failure, running } = end;
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
    ...(end.firstStop === undefined ? {} : { first_stop: end.firstStop }),
    ...(end.timeoutAtMs === undefined ? {} : { timeout_at_ms: end.timeoutAtMs }),
    oom: failure === undefined && end.cgroup?.oom === true && status.exit_code !== 0,
    cpu_exceeded: failure === undefined && cpuExceeded(status, end.cpuLimitSec),
    stdout: end.stdout,
    stderr: end.stderr,
    usage: failure === undefined ? usageOf(status, end.cgroup) : {},
    ...(end.survivors.length === 0 ? {} : { survivors: end.survivors }),
  };
}

function cpuExceeded(status: ExitStatus, limitSec: number | undefined): boolean {
  if (status.signal === SIGXCPU) return true;
  if (limitSec === undefined) return false;
  const usedMs = (status.usage.user_cpu_ms ?? 0) + (status.usage.system_cpu_ms ?? 0);
  return (status.signal === SIGKILL || status.exit_code === SHELL_SIGXCPU) && usedMs >= limitSec * 1000;
}

function usageOf(status: ExitStatus, cgroup: CgroupUsage | undefined): OutcomeUsage {
  const peak = cgroup?.memory_peak_bytes;
  return { ...status.usage, ...(peak === undefined ? {} : { memory_peak_bytes: peak }) };
}
