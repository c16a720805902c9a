import type { Orphan } from './orphan.js';

/** `report` is descriptor 3, on which the launch chain tells how far it came. */
export type StreamName = 'stdout' | 'stderr' | 'report';

export interface SpawnRequest {
  /** Program and arguments; a program without slash is looked up in `env.PATH`. */
  argv: readonly string[];
  /** The whole environment of the process. */
  env: Readonly<Record<string, string>>;
  cwd: string;
  /** Gives the process a descriptor 3. */
  report: boolean;
  /** Whom the pipes of stdout and stderr belong to; this user unless given. */
  outputOwner?: { uid: number; gid: number } | undefined;
}

/** CPU time in milliseconds and peak resident memory in bytes; empty where the launcher cannot know. */
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
  /** The process exists. Called before anything else is told of it. */
  spawned(process: LaunchedProcess): void;
  /** `chunk` is a view of a shared buffer: it holds only during the call. */
  data(stream: StreamName, chunk: Buffer): void;
  /** The last writer of a stream is gone. Called once for each stream of the process. */
  end(stream: StreamName): void;
  /** The process ended; what was left of its process group has been sent SIGKILL. */
  exit(status: ExitStatus): void;
  /**
   * No process was made. Nothing else is called for it.
   * @param reason in words for people.
   * @param fileAtFault the first of the arguments is not there or cannot be executed.
   */
  failed(reason: string, fileAtFault: boolean): void;
}

export interface LaunchedProcess {
  readonly pid: number;
  /**
   * Keeps the pid from being given to another process: it is not waited for, and its end is not told, before the function
   * that this returns is called.
   */
  keepPid(): () => void;
  /** Processes that lost their parent and hold a stream that is still open; none where that cannot be seen. */
  holders(): number[];
  /** Closes what is still open of its streams; `end` is called for each of them. */
  closeStreams(): void;
}

/**
 * Makes processes, each the leader of a session and process group of its own with `/dev/null` on stdin, umask 022 and a
 * soft limit of 1024 open files, and tells how they end.
 */
export interface Launcher {
  readonly kind: 'libc' | 'execa';
  /** True where only the launch chain can tell a failed launch from a program's own exit code. */
  readonly alwaysChain: boolean;
  /** How many spawns it has use for at a time. */
  readonly spawnsAtOnce: number;
  /** Either `events.spawned` or `events.failed` is called, before this returns or later. */
  spawn(request: SpawnRequest, events: SpawnEvents): void;
  /** kill(2): a negative pid means a process group, signal 0 only asks. @returns false when there is no such process. */
  signal(pid: number, signal: number): boolean;
  /** Processes that carry a launch token, or belong to one that does, although no leader is above them. */
  strays(token: string): number[];
  /** Children of this process that it did not spawn, as far as that can be told: what lost its parent, or was made beside it. */
  orphans(): readonly Orphan[];
  /** Gives back what the launcher itself holds. Call when no process of it is left. */
  close(): void;
}
