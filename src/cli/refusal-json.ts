import { ExecgoApiError } from '../client/index.js';
import { printJson } from './write.js';

/**
 * Where a command prints JSON, a refusal is printed as JSON too, as the API answers it: a program reads standard output
 * whatever came of it. What else goes wrong has no such answer. The error goes on to standard error as words.
 */
export async function printingRefusals<T>(asJson: boolean, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (asJson && error instanceof ExecgoApiError) {
      const { code, message, details } = error;
      await printJson({ error: { code, message, details } });
    }
    throw error;
  }
}
