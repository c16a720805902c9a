import type { CommandPage, CommandView } from '../task/commands.js';

/** Which commands are asked for, and how long those who ask wait for one. */
export interface CommandsQuery {
  /** Only those with a greater number. */
  afterSeq: number;
  limit: number;
  /** Answer when there is one, when the task has ended, or after this long. 0 answers at once. */
  waitMs: number;
}

/**
 * What the daemon does with commands for a client. Every method throws `not_found` for an unknown task, and rejects when its `signal`
 * aborts.
 */
export interface CommandService {
  /**
   * Says something to a task that waits or runs; durable when this resolves. `conflict` when it has ended or is being killed, and for a
   * known key with something else; `resource_limit_exceeded` when it has as many as it may.
   * @param owner value of `x-execgo-owner`
   */
  add(taskId: string, body: unknown, owner: string | undefined): Promise<CommandView>;
  /** A command; with `waitMs` once it is over, or then as it is. `not_found` for one that there is not. */
  command(taskId: string, seq: number, waitMs: number, signal: AbortSignal): Promise<CommandView>;
  page(taskId: string, query: CommandsQuery, signal: AbortSignal): Promise<CommandPage>;
}
