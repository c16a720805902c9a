import { ExecgoTask } from '../client/index.js';
import { UsageError } from './usage-error.js';

/** The task in which this command runs. @param otherwise what to do outside of one. @throws UsageError outside of any */
export function insideTask(otherwise = 'it is for programs that a task runs'): ExecgoTask {
  const task = ExecgoTask.fromEnvironment(process.env);
  if (task !== undefined) return task;
  throw new UsageError(`EXECGO_TASK_SOCKET and EXECGO_TASK_TOKEN are not set: ${otherwise}`);
}

/** The number of a command. @throws UsageError */
export function parseSeq(text: string): number {
  const seq = Number(text);
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new UsageError(`"${text}" is not the number of a command`);
  return seq;
}

/** A value that is given as JSON. @param what it is, for the message. @throws UsageError */
export function parseJsonValue(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new UsageError(`${what} is not JSON: ${(error as Error).message}`);
  }
}
