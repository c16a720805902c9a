import type { Rlimit, Setting } from './limits/limit.js';

/** What the plan decides and the supervisor does; plain data, sent in the launch message of an attempt. */

/** The version of the files by which a cgroup directory stops and starts what is in it and below it. */
export type Freezer = 'v2' | 'v1';

/** A cgroup directory of one attempt, and the settings to write before its process enters. */
export interface CgroupDir {
  path: string;
  /** File name → text, written in this order. */
  settings: Setting[];
}

/**
 * The cgroups of an attempt. The supervisor makes the directories, moves its processes in, reads usage, kills through them
 * and removes them.
 */
export interface CgroupSpec {
  /** The directory whose `cgroup.procs` lists the attempt's processes: a v2 directory if there is one. */
  track: CgroupDir;
  /** True when `track` has `cgroup.kill`. */
  kill_file: boolean;
  /** How `track` can stop what is in it; absent where it cannot. An older supervisor ignores the field. */
  freezer?: Freezer | undefined;
  /** Further v1 directories with limits; empty on pure v2. */
  limits: CgroupDir[];
  /** The file to read peak memory from after the end (`memory.peak`, `memory.max_usage_in_bytes`). */
  peak_file?: string | undefined;
  /**
   * The file in which the kernel counts out-of-memory kills (`memory.events`, `memory.oom_control`), under the key
   * `oom_kill`.
   */
  oom_file?: string | undefined;
  /** The file to read the CPU time of all processes from after the end: `cpu.stat` of v2. */
  cpu_file?: string | undefined;
}

/** What the launch chain sets up before the program runs; absent when the task asks for nothing special. */
export interface ChainSpec {
  /** Resource limits, set right before the program. */
  rlimits?: Rlimit[] | undefined;
  /** Commands that are exec'd with the daemon's rights, outermost first, as full argument vectors (`unshare …`). */
  wrappers: string[][];
  /** True when the spawned process waits for the program, which it has forked: signals are then for its children. */
  forks?: boolean | undefined;
  /**
   * The next command for a task with a user of its own (`setpriv …`): everything after it has that user's rights. With
   * `chroot` it drops only what chroot(1) does not need, and chroot(1) switches the user.
   */
  become?: string[] | undefined;
  /**
   * Who shall own the output pipes, so that this user can open /dev/stdout and /dev/stderr. An older supervisor ignores the
   * field.
   */
  output_owner?: { uid: number; gid: number } | undefined;
  /** Path of mkdir(1), if the task's user shall make the program's directory when it is missing. */
  make_cwd?: string | undefined;
  /** chroot(1), its options and the new root, to come right before the program. */
  chroot?: string[] | undefined;
  /** False when the new root has no /bin/sh; otherwise that shell enters the directory and sets the variables. */
  shell?: boolean | undefined;
}
