import { constants } from 'node:os';
import { readReport, saysKilled, type ChainReport } from '../../sandbox/chain/chain-report.js';
import { cannotLaunch, cannotStartIn, notInPath } from '../spawn/launch-error.js';
import type { ExitStatus } from '../spawn/launcher.js';
import type { Outcome } from '../wire/protocol.js';

/** A chain's own words are at the start of stderr. */
const STDERR_HEAD_BYTES = 4096;
const REPORT_BYTES = 4096;
/** A chain that has said `ok` and stays open this long without a further word has reached the program. */
const SILENCE_MS = 100;
/**
 * What is said so long after `ok` is not the chain's: a process of the same user may have taken descriptor 3 from it, and
 * would deny a program that has run. Far above what an exec takes on a busy machine.
 */
const LAST_WORD_MS = 5000;

/** Listens to a launch chain: whether it has reached the program, and what its end says of the program. */
export class ChainWatch {
  readonly #program: string;
  readonly #path: string | undefined;
  readonly #cwd: string;
  readonly #programReached: () => void;
  readonly #forks: boolean;
  #silence: NodeJS.Timeout | undefined;
  #lastWord: NodeJS.Timeout | undefined;
  #report = '';
  /** What counts of the report, once no more does. */
  #settled: string | undefined;
  #stderrHead = '';

  /**
   * @param path the PATH in which a program without a slash is looked for. @param cwd where it is to start.
   * @param forks the leader stays and waits for the program.
   * @param programReached called once, when the chain has reached the program and keeps its report open, as is rare.
   */
  constructor(
    program: string,
    path: string | undefined,
    cwd: string,
    forks: boolean,
    programReached: () => void,
  ) {
    this.#programReached = programReached;
    this.#program = program;
    this.#path = path;
    this.#cwd = cwd;
    this.#forks = forks;
  }

  /** Takes what came on descriptor 3. */
  reported(chunk: Buffer): void {
    if (this.#report.length < REPORT_BYTES) this.#report += chunk.toString('utf8');
    if (!this.reached) return;
    this.#silence ??= setTimeout(() => this.reached && this.#programReached(), SILENCE_MS);
    this.#lastWord ??= setTimeout(() => (this.#settled ??= this.#report), LAST_WORD_MS);
  }

  close(): void {
    clearTimeout(this.#silence);
    clearTimeout(this.#lastWord);
  }

  /** Takes what came on stderr, from the chain or from the program. */
  said(chunk: Buffer): void {
    if (this.#stderrHead.length < STDERR_HEAD_BYTES)
      this.#stderrHead += chunk.toString('utf8', 0, STDERR_HEAD_BYTES);
  }

  /** True when everything is set up, as far as is known now. */
  get reached(): boolean {
    return this.#judgement().ran;
  }

  /** @returns why the program never ran; undefined when it did. */
  failure(status: ExitStatus): Outcome['failure'] {
    const report = this.#judgement();
    if (report.ran) return undefined;
    const { stage } = report;
    // Tasks of one user may signal each other, and most of a chain is the task's user already.
    const message =
      stage === 'sandbox' && status.signal !== undefined
        ? `the launch chain was ended by signal ${status.signal}`
        : report.message;
    if (stage === 'launch' && report.notFound === true && !this.#program.includes('/'))
      return { stage, message: cannotLaunch(this.#program, notInPath(this.#path)) };
    return stage === 'directory'
      ? { stage: 'launch', message: cannotLaunch(this.#program, cannotStartIn(this.#cwd, message)) }
      : { stage, message: cannotLaunch(this.#program, message) };
  }

  /** @returns how the program ended, from how the leader did. */
  endOfProgram(status: ExitStatus): ExitStatus {
    return this.#forks && saysKilled(this.#report, status.exit_code)
      ? { signal: constants.signals.SIGKILL, usage: status.usage }
      : status;
  }

  #judgement(): ChainReport {
    return readReport(this.#settled ?? this.#report, this.#stderrHead);
  }
}
