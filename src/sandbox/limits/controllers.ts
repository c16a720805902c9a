/** A file that a controller has, by the version of cgroups. */
interface ControllerFile {
  v1: string;
  v2: string;
}

interface ControllerFiles {
  /** Its name where v1 mounts it. */
  v1: string;
  /** The file by which a v2 directory shows that it has it. */
  v2File: string;
  /** What not every kernel can do, by the file that shows it. */
  traits: { swap?: ControllerFile; peak?: ControllerFile };
}

/**
 * The controllers that hold limits, under their names on v2. In this order their settings are written, and what they lack is
 * told.
 */
export const CONTROLLERS = {
  memory: {
    v1: 'memory',
    v2File: 'memory.max',
    traits: {
      swap: { v1: 'memory.memsw.limit_in_bytes', v2: 'memory.swap.max' },
      peak: { v1: 'memory.max_usage_in_bytes', v2: 'memory.peak' },
    },
  },
  pids: { v1: 'pids', v2File: 'pids.max', traits: {} },
  cpu: { v1: 'cpu', v2File: 'cpu.max', traits: {} },
  io: { v1: 'blkio', v2File: 'io.max', traits: {} },
} as const satisfies Record<string, ControllerFiles>;

export type Controller = keyof typeof CONTROLLERS;

/**
 * Files in which each line limits one device, and the value that lifts the limit again. A process that waits for its turn at a
 * device takes no signal, not even KILL, before it has had its turn.
 */
export const LIFTED = {
  'io.max': 'rbps=max wbps=max',
  'blkio.throttle.read_bps_device': '0',
  'blkio.throttle.write_bps_device': '0',
};

export const CONTROLLER_NAMES = Object.keys(CONTROLLERS) as Controller[];

/** One directory under which each attempt gets its own for the limits of one controller. */
export interface LimitDirectory {
  path: string;
  version: 'v1' | 'v2';
  /** Swap can be limited too. */
  swap?: boolean | undefined;
  /** The kernel keeps the highest use. */
  peak?: boolean | undefined;
}
