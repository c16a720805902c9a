import { constants } from 'node:os';
import { readReport, saysKilled, type ChainReport } from '../../sandbox/chain/chain-report.js';
import { cannotLaunch, cannotStartIn, notInPath } from '../spawn/launch-error.js';
import type { ExitStatus } from '../spawn/launcher.js';
import type { Outcome } from '../wire/protocol.js';

/** How much of stderr to keep: the chain's own messages are at its start. */
const STDERR_HEAD_BYTES = 4096;
const REPORT_BYTES = 4096;
/**
 * A chain that has reported `ok` and then nothing for this long has reached the program, even if descriptor 3 is still open.
 */
const SILENCE_MS = 100;
/**
 * What comes this long after `ok` is not from the chain: another process of the same user may have taken over descriptor 3
 * to deny that the program ran. Far more than an exec takes on a busy machine.
 */
const LAST_WORD_MS = 5000;

/** Reads the report of a launch chain: whether it has reached the program, and how the program ended. */
export class ChainWatch {
  #silence: NodeJS.Timeout | undefined;
  #lastWord: NodeJS.Timeout | undefined;
  #report = '';
  /** The report as it counts, once nothing more is accepted. */
  #settled: string | undefined;
  #stderrHead = '';

  /**
   * @param path the PATH in which a program without a slash is looked for. @param cwd where it is to start.
   * @param forks the leader stays and waits for the program.
   * @param programReached called once, when the chain has reached the program and keeps its report open, as is rare.
   */
  constructor(
    private readonly program: string,
    private readonly path: string | undefined,
    private readonly cwd: string,
    private readonly forks: boolean,
    private readonly programReached: () => void,
  ) {}

  /** To be called with each chunk from descriptor 3. */
  reported(chunk: Buffer): void {
    if (this.#report.length < REPORT_BYTES) this.#report += chunk.toString('utf8');
    if (!this.reached) return;
    this.#silence ??= setTimeout(() => this.reached && this.programReached(), SILENCE_MS);
    this.#lastWord ??= setTimeout(() => (this.#settled ??= this.#report), LAST_WORD_MS);
  }

  close(): void {
    clearTimeout(this.#silence);
    clearTimeout(this.#lastWord);
  }

  /** To be called with each chunk from stderr, of the chain or the program. */
  said(chunk: Buffer): void {
    if (this.#stderrHead.length < STDERR_HEAD_BYTES)
      this.#stderrHead += chunk.toString('utf8', 0, STDERR_HEAD_BYTES);
  }

  /** True when the chain has reported that everything is set up. */
  get reached(): boolean {
    return this.#judgement().ran;
  }

  /** @returns why the program never ran; undefined when it did. */
  failure(status: ExitStatus): Outcome['failure'] {
    const report = this.#judgement();
    if (report.ran) return undefined;
    const { stage } = report;
    // Tasks of one user can signal each other, and most of a chain runs as that user already.
    const message =
      stage === 'sandbox' && status.signal !== undefined
        ? `the launch chain was ended by signal ${status.signal}`
        : report.message;
    if (stage === 'launch' && report.notFound === true && !this.program.includes('/'))
      return { stage, message: cannotLaunch(this.program, notInPath(this.path)) };
    return stage === 'directory'
      ? { stage: 'launch', message: cannotLaunch(this.program, cannotStartIn(this.cwd, message)) }
      : { stage, message: cannotLaunch(this.program, message) };
  }

  /** @returns how the program ended, according to the end of the leader. */
  endOfProgram(status: ExitStatus): ExitStatus {
    return this.forks && saysKilled(this.#report, status.exit_code)
      ? { signal: constants.signals.SIGKILL, usage: status.usage }
      : status;
  }

  #judgement(): ChainReport {
    return readReport(this.#settled ?? this.#report, this.#stderrHead);
  }
}
