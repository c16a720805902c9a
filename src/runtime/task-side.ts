import type { CommandPage, CommandView } from '../task/commands.js';
import type { ProgressAnswer } from '../task/progress.js';
import type { TaskEventAnswer } from '../task/task-event.js';
import type { CommandsQuery } from './command-service.js';

/** A task that asks for something, by the attempt that it is at. */
export interface Caller {
  readonly task_id: string;
  readonly launch_id: number;
}

/**
 * What the daemon does for tasks that talk to it: the only interface that the task socket knows. Nothing in it is about another task than
 * that of the caller. Each method but the first throws `gone` once the attempt has ended.
 */
export interface TaskSide {
  /** Who has this token. @throws ExecgoError `unauthorized` when no attempt that runs has it */
  caller(token: string): Caller;
  /** What it is still to do, those that it has read included; waits for the first. Rejects when `signal` aborts. */
  commands(caller: Caller, query: CommandsQuery, signal: AbortSignal): Promise<CommandPage>;
  /** It has read a command; once is enough. `conflict` when that is over, `not_found` for one that there is not. */
  acknowledge(caller: Caller, seq: number): Promise<CommandView>;
  /** How it has carried out a command; `conflict` when something else was said of it, or it is cancelled. */
  finish(caller: Caller, seq: number, body: unknown): Promise<CommandView>;
  /** How far it says that it is: written at once, or within a second where one was written just before. */
  progress(caller: Caller, body: unknown): Promise<ProgressAnswer>;
  /** Before one is read. @throws ExecgoError `resource_limit_exceeded` where it would be too much, or comes too fast */
  expectEvent(caller: Caller): void;
  /** Adds an event of its own to its history; `resource_limit_exceeded` where that is too much, or comes too fast. */
  event(caller: Caller, body: unknown): Promise<TaskEventAnswer>;
}
