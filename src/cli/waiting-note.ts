import type { ExecgoClient } from '../client/index.js';
import { note } from './write.js';

/** How long a task may wait before its person is told, in milliseconds. */
const PATIENCE_MS = 1_000;

/**
 * Tells the person at a terminal once why a task does not start, if it has not within a second. Where standard error is no
 * terminal it says nothing: it is the task's then.
 */
export class WaitingNote {
  readonly #abort = new AbortController();

  /** @param taskId a task that has just been accepted */
  constructor(client: ExecgoClient, taskId: string) {
    if (!process.stderr.isTTY) return;
    const timer = setTimeout(() => {
      // Nothing depends on it: what is wrong with the daemon is told by what waits for the task itself.
      tell(client, taskId, this.#abort.signal).catch(() => undefined);
    }, PATIENCE_MS);
    this.#abort.signal.addEventListener('abort', () => {
      clearTimeout(timer);
    });
  }

  /** To be called when the task has ended, or is waited for no more. */
  stop(): void {
    this.#abort.abort();
  }
}

async function tell(client: ExecgoClient, taskId: string, signal: AbortSignal): Promise<void> {
  const { waiting } = await client.status(taskId, { signal });
  if (waiting !== undefined) await note(`task ${taskId} waits: ${waiting.detail}; Ctrl-C cancels it`);
}
