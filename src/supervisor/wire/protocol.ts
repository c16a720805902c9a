import type { CgroupSpec, ChainSpec } from '../../sandbox/launch.js';

/**
 * The messages between daemon and supervisor: one JSON message a line over a Unix socket. `hello`, `list`, `kill`, `outcome`
 * and `ack` are frozen for good; only `launch` is versioned; `pause` and `resume` are understood from {@link PAUSE_SINCE} on. So a newer daemon can always finish what an older supervisor
 * runs. What the protocol calls a launch is an attempt. Times ending in `_at_ms` are Unix time, durations are monotonic.
 */

/** Would be increased with a change of the frozen messages, which must not happen. */
export const PROTOCOL = 1;
/** Version of {@link LaunchSpec}. */
const LAUNCH_VERSION = 5;
/** The launch version from which on a supervisor knows `pause` and `resume`; an older one drops them. */
export const PAUSE_SINCE = 4;

/**
 * The version of {@link LaunchSpec} that this process uses. `EXECGO_TEST_LAUNCH_VERSION` sets another one, in a daemon and
 * in the supervisors that it starts, so that a test can let two versions meet.
 */
export function launchVersion(): number {
  return Number(process.env['EXECGO_TEST_LAUNCH_VERSION'] ?? LAUNCH_VERSION);
}

/** How one output stream is kept: the first `max_bytes` in `path`; when more has come, the last 64 KiB in `tail_path`. */
export interface StreamSpec {
  path: string;
  max_bytes: number;
  tail_path: string;
}

/** The workspace: a directory that is reached name by name, because a task may change what is on the way. */
export interface DiskSpec {
  /** No task can make this path lead elsewhere. */
  dir: string;
  names: string[];
  max_bytes: number;
}

/** Everything that the supervisor needs for one attempt. Paths are absolute. */
export interface LaunchSpec {
  /** Program and arguments; a program without slash is looked up in `env.PATH`. */
  argv: [program: string, ...args: string[]];
  /** The whole environment, `EXECGO_TASK_ID` and `EXECGO_LAUNCH` included. */
  env: Record<string, string>;
  /** The directory in which the program starts: in the new root, if `chain` has one. */
  cwd: string;
  stdout: StreamSpec;
  stderr: StreamSpec;
  /** 0: none. */
  wall_time_ms: number;
  /** From TERM to KILL. */
  grace_ms: number;
  cgroup?: CgroupSpec | undefined;
  chain?: ChainSpec | undefined;
  /** Absent: its workspace may be of any size. */
  disk?: DiskSpec | undefined;
}

/** The counts of one stream. `kept_bytes` is what was written to the log file. */
export interface StreamOutcome {
  bytes: number;
  kept_bytes: number;
  /** Why output within the limit was not kept: the disk was full, or the task replaced the file. */
  error?: string | undefined;
}

export interface OutcomeUsage {
  user_cpu_ms?: number | undefined;
  system_cpu_ms?: number | undefined;
  max_rss_bytes?: number | undefined;
  memory_peak_bytes?: number | undefined;
  oom_kills?: number | undefined;
}

/** How an attempt ended. Exactly one of `exit_code`, `signal`, `failure` is set. */
export interface Outcome {
  launch_id: number;
  token: string;
  exit_code?: number | undefined;
  signal?: number | undefined;
  /** The program never ran. `stage` decides between `launch_failed` and `sandbox_setup_failed`. */
  failure?: { stage: 'launch' | 'sandbox'; message: string } | undefined;
  /** Absent when the program never ran. */
  pid?: number | undefined;
  started_at_ms?: number | undefined;
  finished_at_ms: number;
  /** Of the leader, on the monotonic clock. */
  duration_ms: number;
  /** The first thing with which the supervisor stopped it: its own deadline, or a kill from the daemon. */
  first_stop?: 'timeout' | 'kill' | undefined;
  /** When the deadline passed, if it did. */
  timeout_at_ms?: number | undefined;
  /** True only if the kernel counted an out-of-memory kill. */
  oom: boolean;
  /** Ended by SIGXCPU, or by SIGKILL with the CPU limit used up. */
  cpu_exceeded: boolean;
  /** The first thing with which the supervisor stopped it was that its workspace took so much of the disk. */
  disk?: { bytes: number; too_deep?: true | undefined } | undefined;
  stdout: StreamOutcome;
  stderr: StreamOutcome;
  usage: OutcomeUsage;
  /** Pids of processes that still lived two seconds after the grace. */
  survivors?: number[] | undefined;
}

/** An attempt that has begun. */
export interface Running {
  launch_id: number;
  token: string;
  pid: number;
  /** Field 22 of /proc/<pid>/stat, which with the boot id identifies the process for good. 0 without /proc. */
  start_ticks: number;
  started_at_ms: number;
  /** Since when it is paused; absent while it is not. */
  paused_at_ms?: number | undefined;
}

/** First message of the daemon on a connection. */
export interface DaemonHello {
  type: 'hello';
  protocol: number;
  version: string;
  /** Random; with it the supervisor proves that it knows the secret in its directory. */
  nonce: string;
}

/** First message of the supervisor on a connection, after it has closed older ones and dropped what came on them. */
export interface SupervisorHello {
  type: 'hello';
  protocol: number;
  launch_version: number;
  version: string;
  incarnation: string;
  pid: number;
  /** HMAC-SHA256 of the nonce under the secret, hex. */
  proof: string;
}

export type DaemonMessage =
  | DaemonHello
  /** Ask for everything that is not acknowledged. */
  | { type: 'list' }
  /** Launch this attempt, or tell its state: an attempt is launched at most once. Sent again after every connect. */
  | { type: 'launch'; version: number; launch_id: number; task_id: string; token: string; spec: LaunchSpec }
  /**
   * TERM (or `signal`) now, KILL after `grace_ms` (by default that of the spec). Only the first kill counts; a later one can
   * only shorten the grace.
   */
  | { type: 'kill'; launch_id: number; signal?: number | undefined; grace_ms?: number | undefined }
  /**
   * Stop everything of an attempt that runs, and its wall time, until it is resumed or killed. Does nothing to one that has not
   * started, or is being ended. Answered by `paused` each time it is sent, or by `resumed` with a reason.
   */
  | { type: 'pause'; launch_id: number }
  /** Answered by `resumed` each time it is sent while the attempt runs. */
  | { type: 'resume'; launch_id: number }
  /** The daemon has committed this end; the supervisor may forget it. */
  | { type: 'ack'; launch_ids: number[] }
  /** Accept no further attempts; exit once everything has been acknowledged. */
  | { type: 'drain' };

export type SupervisorMessage =
  | SupervisorHello
  /** Answer to `list`: the attempts that run. Unacknowledged outcomes follow as `outcome` messages, and then `listed`. */
  | { type: 'running'; launches: Running[] }
  | { type: 'listed' }
  /** The process of an attempt runs. Also the answer to a repeated `launch` of one that runs. */
  | { type: 'started'; launch: Running }
  /** The wall time has passed, and the supervisor is ending the attempt. */
  | { type: 'timeout'; launch_id: number; at_ms: number }
  /**
   * Nothing of the attempt runs any more; its wall time stands still since `at_ms`, which is later than that of the last
   * `resumed`.
   */
  | { type: 'paused'; launch_id: number; at_ms: number }
  /**
   * It runs again, or has not been paused, since `at_ms`, which is later than that of the last `paused`.
   * @param reason why it could not be paused, in words for people, if that has been given up
   */
  | { type: 'resumed'; launch_id: number; at_ms: number; reason?: string | undefined }
  /** Repeated after every connect until it is acknowledged. */
  | { type: 'outcome'; outcome: Outcome }
  /**
   * This supervisor will not launch the attempt (it drains, or does not know the version or the token): it never began here.
   */
  | { type: 'refused'; launch_id: number; reason: string };

/** Names of files in `supervisor/<incarnation>/`. */
export const SUPERVISOR_FILES = {
  socket: 's',
  /** Holds the path of the socket when one in this directory would be too long. */
  socketPath: 'socket-path',
  journal: 'journal',
  log: 'log',
  secret: 'secret',
} as const;
