import { ExecgoApiError } from '../client/index.js';
import { printJson } from './write.js';

/**
 * Runs `action` for a command that prints JSON. When the API refuses, its answer is printed as JSON on standard output, so
 * that a program can read the result there in any case. Other errors have no such answer. The error is then thrown on, to be
 * told on standard error.
 */
export async function printingRefusals<T>(
  asJson: boolean,
  { strict }: { strict?: boolean | undefined },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (asJson && error instanceof ExecgoApiError) {
      const { code, message, details } = error;
      await printJson({ error: { code, message, details } });
    }
    if (strict !== true || !(error instanceof ExecgoApiError) || !isUnsupported(error)) throw error;
    throw new Error(`${error.message} (leave out --strict to run with what this machine can enforce)`, {
      cause: error,
    });
  }
}

/** The request demands another kind of machine, which is no question of strictness. */
function isUnsupported({ code, details }: ExecgoApiError): boolean {
  const isDemand = typeof details === 'object' && details !== null && 'demand' in details;
  return code === 'unsupported_capability' && !isDemand;
}
