import type { CgroupSpec, ChainSpec } from '../../sandbox/launch.js';

/**
 * What daemon and supervisor say to each other: one JSON message a line over a Unix socket.
 * `hello`, `list`, `kill`, `outcome` and `ack` are frozen for good; only `launch` is versioned, so that a newer daemon
 * can always finish what an older supervisor runs. Times ending in `_at_ms` are Unix time, durations are monotonic.
 */

/** Bumped when the frozen messages change, which they must not. */
export const PROTOCOL = 1;
/** Version of {@link LaunchSpec}. */
const LAUNCH_VERSION = 3;

/**
 * The version of {@link LaunchSpec} that this process speaks. `EXECGO_TEST_LAUNCH_VERSION` sets another one, in a daemon
 * and in the supervisors that it starts, so that a test can have two versions meet.
 */
export function launchVersion(): number {
  return Number(process.env['EXECGO_TEST_LAUNCH_VERSION'] ?? LAUNCH_VERSION);
}

/** One output stream, as far as it is kept: the first `max_bytes` go to `path`; once more has come, the last 64 KiB stand in `tail_path`. */
export interface StreamSpec {
  path: string;
  max_bytes: number;
  tail_path: string;
}

/** Everything the supervisor needs to run one task once. Paths are absolute. */
export interface LaunchSpec {
  /** Program and arguments; a program without slash is looked up in `env.PATH`. */
  argv: [program: string, ...args: string[]];
  /** The whole environment, `EXECGO_TASK_ID` and `EXECGO_LAUNCH` included. */
  env: Record<string, string>;
  /** Where the program starts: in the new root, where `chain` has one. */
  cwd: string;
  stdout: StreamSpec;
  stderr: StreamSpec;
  /** 0: none. */
  wall_time_ms: number;
  /** From TERM to KILL. */
  grace_ms: number;
  cgroup?: CgroupSpec | undefined;
  chain?: ChainSpec | undefined;
}

/** What one stream came to. `kept_bytes` is what was written to the log file. */
export interface StreamOutcome {
  bytes: number;
  kept_bytes: number;
  /** Why some of it is not kept that should be: the disk was full, or the task has replaced the file. */
  error?: string | undefined;
}

export interface OutcomeUsage {
  user_cpu_ms?: number | undefined;
  system_cpu_ms?: number | undefined;
  max_rss_bytes?: number | undefined;
  memory_peak_bytes?: number | undefined;
  oom_kills?: number | undefined;
}

/** How a launch ended. Exactly one of `exit_code`, `signal`, `failure` is set. */
export interface Outcome {
  launch_id: number;
  token: string;
  exit_code?: number | undefined;
  signal?: number | undefined;
  /** The program never ran. `stage` tells `launch_failed` from `sandbox_setup_failed`. */
  failure?: { stage: 'launch' | 'sandbox'; message: string } | undefined;
  /** Absent when the program never ran. */
  pid?: number | undefined;
  started_at_ms?: number | undefined;
  finished_at_ms: number;
  /** Of the leader, on the monotonic clock. */
  duration_ms: number;
  /** What the supervisor did first to end it: its own deadline, or a kill it was told of. */
  first_stop?: 'timeout' | 'kill' | undefined;
  /** When the deadline passed, if it did. */
  timeout_at_ms?: number | undefined;
  /** On the kernel's own evidence only. */
  oom: boolean;
  /** Ended by SIGXCPU, or by SIGKILL with the CPU limit used up. */
  cpu_exceeded: boolean;
  stdout: StreamOutcome;
  stderr: StreamOutcome;
  usage: OutcomeUsage;
  /** Pids that outlived grace + 2 s. */
  survivors?: number[] | undefined;
}

/** A launch that has begun. */
export interface Running {
  launch_id: number;
  token: string;
  pid: number;
  /** Field 22 of /proc/<pid>/stat; with the boot id it names the process for good. 0 where there is no /proc. */
  start_ticks: number;
  started_at_ms: number;
}

/** First message of the daemon on a connection. */
export interface DaemonHello {
  type: 'hello';
  protocol: number;
  version: string;
  /** Random; the supervisor proves with it that it holds the secret in its directory. */
  nonce: string;
}

/** First message of the supervisor, after it has closed older connections and dropped what they had still sent. */
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
  /** Ask for everything that has not been acknowledged. */
  | { type: 'list' }
  /** Launch it, or tell its state: a launch id runs at most once. Sent again after every connect. */
  | { type: 'launch'; version: number; launch_id: number; task_id: string; token: string; spec: LaunchSpec }
  /** TERM (or `signal`) now, KILL after `grace_ms` (default: the launch's own). Of many kills the first counts; a shorter grace shortens. */
  | { type: 'kill'; launch_id: number; signal?: number | undefined; grace_ms?: number | undefined }
  /** The daemon has committed this end; the supervisor may forget it. */
  | { type: 'ack'; launch_ids: number[] }
  /** Accept no further launch; exit once everything has been acknowledged. */
  | { type: 'drain' };

export type SupervisorMessage =
  | SupervisorHello
  /** Answer to `list`: running launches. Unacknowledged outcomes follow as `outcome` messages, and then `listed`. */
  | { type: 'running'; launches: Running[] }
  | { type: 'listed' }
  /** A launch's process runs. Also the answer to a repeated `launch` of one that runs. */
  | { type: 'started'; launch: Running }
  /** The wall time passed; the kill has begun. */
  | { type: 'timeout'; launch_id: number; at_ms: number }
  /** Told until acknowledged, again after every connect. */
  | { type: 'outcome'; outcome: Outcome }
  /** This supervisor will not launch it (draining, unknown version, another token): it never began here. */
  | { type: 'refused'; launch_id: number; reason: string };

/** Names inside `supervisor/<incarnation>/`. */
export const SUPERVISOR_FILES = {
  socket: 's',
  /** Holds the path of the socket where the directory's own is too long for one. */
  socketPath: 'socket-path',
  journal: 'journal',
  log: 'log',
  secret: 'secret',
} as const;
