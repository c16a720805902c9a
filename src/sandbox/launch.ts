import type { Rlimit, Setting } from './limits/limit.js';

/** What the plan decides and the supervisor carries out: data only, sent as part of a launch. */

/** A cgroup directory of one task, and what to write into it before the task enters. */
export interface CgroupDir {
  path: string;
  /** File name → text, written in this order. */
  settings: Setting[];
}

/** The cgroups of a task. The supervisor makes the directories, enters them, reads usage, kills through them and removes them. */
export interface CgroupSpec {
  /** Directory whose `cgroup.procs` lists the task's processes: a v2 directory where there is one. */
  track: CgroupDir;
  /** True when `track` has `cgroup.kill`. */
  kill_file: boolean;
  /** Further v1 directories with limits; empty on pure v2. */
  limits: CgroupDir[];
  /** Where peak memory is read after the end (`memory.peak`, `memory.max_usage_in_bytes`). */
  peak_file?: string | undefined;
  /** Where the kernel's own evidence of an out-of-memory kill is read (`memory.events`, `memory.oom_control`): key `oom_kill`. */
  oom_file?: string | undefined;
  /** Where the CPU time of all its processes is read after the end: v2's `cpu.stat`. */
  cpu_file?: string | undefined;
}

/** What the exec chain sets before the program runs; absent when the task asks for nothing special. */
export interface ChainSpec {
  /** Resource limits, set right before the program. */
  rlimits?: Rlimit[] | undefined;
  /** Commands that are exec'd with the daemon's rights, outermost first, as full argument vectors (`unshare …`). */
  wrappers: string[][];
  /** True when the process that is spawned stays to wait for the program, so that signals are for what it has forked. */
  forks?: boolean | undefined;
  /**
   * The command that follows them for a task with a user of its own (`setpriv …`): all after it has that user's rights. With
   * `chroot` it gives up what it can, and the switch is chroot(1)'s, because the change of root needs what a switch gives up.
   */
  become?: string[] | undefined;
  /**
   * Whom the output pipes are given to, so that this user can open /dev/stdout and /dev/stderr. A supervisor that does not know
   * the field runs the task all the same.
   */
  output_owner?: { uid: number; gid: number } | undefined;
  /** mkdir(1), where the program's directory is made by the task's user when it is missing. */
  make_cwd?: string | undefined;
  /** chroot(1), its options and the new root, right before the program. */
  chroot?: string[] | undefined;
  /** False when the new root has no /bin/sh, which else enters the directory and sets the variables in there. */
  shell?: boolean | undefined;
}
