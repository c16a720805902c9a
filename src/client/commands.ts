import type { CommandPage, CommandRequest, CommandView } from '../task/commands.js';
import type { Abortable, Calls } from './calls.js';
import { taskPath } from './paths.js';

/** What is said to tasks. */
export class CommandClient {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** Says something to a task that waits or runs. Sent at most once, unless it has an idempotency key. */
  async send(
    taskId: string,
    request: CommandRequest,
    options: Abortable & { owner?: string | undefined } = {},
  ): Promise<CommandView> {
    const repeatable = (request.idempotency_key ?? undefined) !== undefined;
    return this.#calls.post(`${taskPath(taskId)}/commands`, { ...options, body: request, repeatable });
  }

  /** @param options.waitMs answer as soon as it is completed, failed or cancelled, or after this many milliseconds */
  async get(
    taskId: string,
    seq: number,
    { waitMs, signal }: Abortable & { waitMs?: number | undefined } = {},
  ): Promise<CommandView> {
    const path = `${taskPath(taskId)}/commands/${String(seq)}`;
    return this.#calls.get(path, { query: { wait_ms: waitMs }, waitMs, signal });
  }

  /** The commands of a task in their order. @param options.waitMs hold the answer until there is one */
  async list(
    taskId: string,
    options: Abortable & {
      afterSeq?: number | undefined;
      limit?: number | undefined;
      waitMs?: number | undefined;
    } = {},
  ): Promise<CommandPage> {
    const { afterSeq, limit, waitMs, signal } = options;
    const query = { after_seq: afterSeq, limit, wait_ms: waitMs };
    return this.#calls.get(`${taskPath(taskId)}/commands`, { query, waitMs, signal });
  }
}
