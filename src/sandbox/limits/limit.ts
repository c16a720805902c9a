import type { Controller, LimitDirectory } from './controllers.js';

/** What enforces a limit. */
export const MECHANISMS = [
  'cgroup_v2',
  'cgroup_v1',
  'rlimit',
  'nice',
  'supervisor',
  'measured',
  'none',
] as const;
export type Mechanism = (typeof MECHANISMS)[number];

/** What is limited each for itself, where that is not the task as a whole. */
export const SCOPES = ['per_process', 'per_device'] as const;
export type Scope = (typeof SCOPES)[number];

/** What the amounts that a task reserves by such limits are called in the ledger. */
type Reserved = 'cpu_millis' | 'memory_bytes' | 'pids' | 'disk_bytes';

/**
 * One limit of a request: all that is particular to it. Everything else (the schema, the flag, the plan, what is tried at
 * start, the launch message) is made of this. Data and pure functions only, because the command line loads it too.
 */
export interface Limit<
  Name extends string = string,
  Plan extends string = string,
  Capability extends string = string,
> {
  /** Its field in `limits` of a request, and in the plan. */
  name: Name;
  /** What its other fields in the plan begin with: `<plan>_mechanism`, `<plan>_enforced`. */
  plan: Plan;
  /** True where the plan says `<plan>_enforced: false` also of a request that does not ask for it. */
  alwaysTold?: boolean;
  request: RequestField;
  flag: Flag;
  /** For people, e.g. `memory 64.0 MiB`. */
  words: (value: number, format: Format) => string;
  /** What of the ledger a task reserves that has this limit, in the same unit. */
  reserves?: Reserved;
  /** What can hold it, the best first. Empty for what the supervisor holds on every host. */
  holders: readonly Holder<Capability>[];
}

/** Whole numbers from 1 to 2^53-1, unless there is a range. */
interface RequestField {
  range?: { min: number; max?: number; rule: string };
  describe?: string;
}

/** Its flag of `submit` and `run`. */
interface Flag {
  /** Without the dashes. */
  name: string;
  /** What the help calls its value; this decides how it is read. */
  value: '<duration>' | '<seconds>' | '<size>' | '<n>';
  help: string;
}

/** Writes milliseconds and bytes for people. */
export interface Format {
  duration: (ms: number) => string;
  size: (bytes: number) => string;
}

export type Holder<Capability extends string = string> =
  CgroupHolder<Capability> | RlimitHolder<Capability> | CommandHolder<Capability> | SupervisorHolder;

/** What decides how well a limit holds on a host. */
export interface HolderHost {
  taskUser?: string | undefined;
  cgroup: 'v2' | 'v1' | 'hybrid' | 'none';
  memory_limit: boolean;
}

/** A file in a cgroup directory and what is written into it. */
export type Setting = [file: string, value: string];

/** Holds for the whole tree of processes. */
export interface CgroupHolder<Capability extends string = string> {
  by: 'cgroup';
  controller: Controller;
  /** Its name in the host's capabilities. */
  capability: Capability;
  /** A value that any host can set: whether it takes it is tried at start. */
  tried: number;
  /** True where it counts processes: those that keep a pid namespace come on top. */
  countsProcesses?: boolean;
  /** @param devices lists the block devices of this machine as `major:minor` */
  settings: (value: number, directory: LimitDirectory, devices: () => string[]) => Setting[];
  /** Told as `<plan>_scope`. */
  scope?: Scope;
  /** What it does not limit on such a host, in words that follow the name of the limit. */
  misses?: (host: HolderHost) => string | undefined;
}

/** The supervisor, on every host: what it does is part of the launch message by itself. */
export interface SupervisorHolder {
  by: 'supervisor';
  mechanism: Mechanism;
  capability?: undefined;
}

/** One resource limit as the launch chain sets it. */
export interface Rlimit {
  /** Letter of ulimit. */
  option: string;
  /** The letter in shells that have another one. */
  or?: string | undefined;
  /** In the unit of ulimit. */
  soft: number;
  hard: number;
  /** In words: `cannot set the <what>`. */
  what: string;
}

export interface RlimitHolder<Capability extends string = string> {
  by: 'rlimit';
  /** Its name in the host's capabilities; absent where it only stands in for something better: see `instead`. */
  capability?: Capability;
  /** A value that any host can set, and with which a shell still works; needed with a `capability`. */
  tried?: number;
  rlimit: (value: number) => Rlimit;
  /**
   * Looks at the settings of the host.
   * @param read the text of a file, undefined where it cannot be read
   * @returns why it does not hold here although it can be set
   */
  unless?: (read: (path: string) => string | undefined) => string | undefined;
  /** Told as `<plan>_scope`. */
  scope?: Scope;
  /**
   * What the task lacks where this stands in for something better, in words that follow the name of the limit.
   * @returns undefined where it would limit nothing
   */
  instead?: (host: HolderHost) => string | undefined;
}

/** A shell with the daemon's rights that sets the limit for itself and then becomes the task. */
export interface CommandHolder<Capability extends string = string> {
  by: 'command';
  mechanism: Mechanism;
  /** Its name in the host's capabilities. */
  capability: Capability;
  /** A value that any host can set. */
  tried: number;
  /** Called by absolute path. */
  tools: readonly string[];
  /** What the shell does: the value is its first argument, the tools follow. `fail "words"` ends the launch. */
  text: string;
  /** What is also written into a cgroup, where the task has a directory of this controller. */
  beside?: { controller: Controller; settings: (value: number, directory: LimitDirectory) => Setting[] };
}
