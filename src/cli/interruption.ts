import { constants } from 'node:os';
import type { ExecgoClient } from '../client/index.js';
import { explain } from './explain.js';
import { EXIT } from './exit-codes.js';
import { note } from './write.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * What Ctrl-C does in `run`: the first signal cancels the task, and its end is awaited; the second ends `run` at once. The
 * task is also cancelled when the reader of the output closes it, as SIGPIPE would have ended a local command.
 */
export class Interruption {
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    this.#interrupt(EXIT.signal + constants.signals[signal]);
  };
  #taskId: string | undefined;
  #exitCode: number | undefined;

  /** Handles the signals of this process until {@link dispose}. */
  constructor(
    private readonly client: ExecgoClient,
    private readonly owner: string | null | undefined,
  ) {
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
  }

  /** The exit code of a `run` that was interrupted; undefined while nothing has interrupted it. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /**
   * To be called with the task's id once it is known: the task can be cancelled from now on, and is if a signal came before.
   */
  accepted(taskId: string): void {
    this.#taskId = taskId;
    if (this.#exitCode !== undefined) void this.#kill(taskId);
  }

  /** To be called when the reader of the output has closed it. */
  readerGone(): void {
    if (this.#exitCode === undefined) this.#interrupt(EXIT.readerGone);
  }

  /** Stops handling signals. */
  dispose(): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
  }

  #interrupt(exitCode: number): void {
    if (this.#exitCode !== undefined) process.exit(exitCode);
    this.#exitCode = exitCode;
    if (this.#taskId !== undefined) void this.#kill(this.#taskId);
  }

  async #kill(taskId: string): Promise<void> {
    try {
      await this.client.kill(taskId, { owner: this.owner ?? undefined });
    } catch (error) {
      await note(`task ${taskId} was not cancelled: ${explain(error)}`);
    }
  }
}
