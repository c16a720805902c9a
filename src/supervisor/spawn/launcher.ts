import type { Orphan } from './orphan.js';

/** `report` is descriptor 3, on which the launch chain reports how far it came. */
export type StreamName = 'stdout' | 'stderr' | 'report';

export interface SpawnRequest {
  /** Program and arguments; a program without slash is looked up in `env.PATH`. */
  argv: readonly string[];
  /** The whole environment of the process. */
  env: Readonly<Record<string, string>>;
  cwd: string;
  /** Give the process a descriptor 3. */
  report: boolean;
  /** The user who shall own the pipes of stdout and stderr; by default this one. */
  outputOwner?: { uid: number; gid: number } | undefined;
}

/** CPU time in milliseconds and peak resident memory in bytes; empty when the launcher cannot know. */
export interface ProcessUsage {
  user_cpu_ms?: number;
  system_cpu_ms?: number;
  max_rss_bytes?: number;
}

/** How a process ended: exactly one of `exit_code` and `signal` is set. */
export interface ExitStatus {
  exit_code?: number;
  signal?: number;
  usage: ProcessUsage;
}

export interface SpawnEvents {
  /** The process exists. Called before everything else. */
  spawned(process: LaunchedProcess): void;
  /** `chunk` is a view of a shared buffer: it is valid only during the call. */
  data(stream: StreamName, chunk: Buffer): void;
  /** The last writer has closed a stream. Called once for each stream of the process. */
  end(stream: StreamName): void;
  /** The process ended; what was left of its process group has been sent SIGKILL. */
  exit(status: ExitStatus): void;
  /**
   * The process could not be made. Nothing else is called then.
   * @param reason in words for people.
   * @param fileAtFault the file `argv[0]` does not exist or cannot be executed.
   */
  failed(reason: string, fileAtFault: boolean): void;
}

export interface LaunchedProcess {
  readonly pid: number;
  /**
   * Keeps the pid from being given to another process: until the returned function is called the process is not waited for,
   * and its end is not told.
   */
  keepPid(): () => void;
  /** Processes that lost their parent and hold one of its streams open; empty when the launcher cannot see that. */
  holders(): number[];
  /** Closes the streams that are still open; `end` is called for each. */
  closeStreams(): void;
}

/**
 * Makes processes, each the leader of its own session and process group, with `/dev/null` on stdin, umask 022 and a soft
 * limit of 1024 open files, and tells how they end.
 */
export interface Launcher {
  readonly kind: 'libc' | 'execa';
  /** True when only the launch chain can tell a failed launch from the program's own exit code. */
  readonly alwaysChain: boolean;
  /** How many spawns it can work on at a time. */
  readonly spawnsAtOnce: number;
  /** Calls either `events.spawned` or `events.failed`, before it returns or later. */
  spawn(request: SpawnRequest, events: SpawnEvents): void;
  /** kill(2): a negative pid is a process group, signal 0 only checks. @returns false when there is no such process. */
  signal(pid: number, signal: number): boolean;
  /** Processes that carry the token of an attempt, or descend from one that does, but not from a leader that still exists. */
  strays(token: string): number[];
  /**
   * Children of this process that it did not spawn, as far as it can tell: processes that lost their parent, or that a
   * leader made as its siblings.
   */
  orphans(): readonly Orphan[];
  /** Frees the launcher's own resources. To be called when none of its processes is left. */
  close(): void;
}
