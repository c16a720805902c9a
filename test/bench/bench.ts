import type { Figure } from './figure.js';
import type { BenchDaemon, BenchDaemonOptions } from './daemon.js';

/** One subject of measurement. */
export interface Bench {
  /** What `--only` calls it: lower case, words joined with `-`. */
  name: string;
  /** One line for `--help`. */
  what: string;
  /** It takes so long that it runs only where `--only` names it. */
  alone?: true;
  run(context: BenchContext): Promise<Figure[]>;
}

/** What a bench is given. */
export interface BenchContext {
  /** How often to measure each figure. */
  rounds: number;
  /** True when a rough number within seconds is wanted rather than a good one. */
  quick: boolean;
  /** `full`, or `quick` in quick mode. */
  pick: <T>(full: T, quick: T) => T;
  /** A new, empty directory. All of them are deleted at the end of the whole run: deletion slows what ext4 makes next. */
  scratch: () => string;
  /** Says on stderr what is being done. */
  progress: (text: string) => void;
  /** A daemon of the built executable. One that still runs when the bench returns or throws is ended then. */
  startDaemon: (options?: BenchDaemonOptions) => Promise<BenchDaemon>;
}
