import { constants } from 'node:os';
import type { ExecgoClient } from '../client/index.js';
import { explain } from './explain.js';
import { EXIT } from './exit-codes.js';
import { note } from './write.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * What Ctrl-C means to `run`: the first signal cancels the task, whose end is still waited for; the second ends `run`
 * at once. A reader of the output that has gone cancels it too, as SIGPIPE would have ended a local command.
 */
export class Interruption {
  readonly #client: ExecgoClient;
  readonly #owner: string | null | undefined;
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    this.#interrupt(EXIT.signal + constants.signals[signal]);
  };
  #taskId: string | undefined;
  #exitCode: number | undefined;

  /** Takes the signals over until {@link dispose}. */
  constructor(client: ExecgoClient, owner: string | null | undefined) {
    this.#client = client;
    this.#owner = owner;
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
  }

  /** What to exit with when the task was cancelled; absent while nothing has interrupted it. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** The task has its id: from now on it can be cancelled, and is if a signal came before. */
  accepted(taskId: string): void {
    this.#taskId = taskId;
    if (this.#exitCode !== undefined) void this.#kill(taskId);
  }

  /** Nobody reads the output any more. */
  readerGone(): void {
    if (this.#exitCode === undefined) this.#interrupt(EXIT.readerGone);
  }

  /** Gives the signals back. */
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
      await this.#client.kill(taskId, { owner: this.#owner ?? undefined });
    } catch (error) {
      await note(`task ${taskId} was not cancelled: ${explain(error)}`);
    }
  }
}
