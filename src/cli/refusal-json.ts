import { ExecgoApiError } from '../client/index.js';
import { printJson } from './write.js';

/**
 * Where a command prints JSON, a refusal is printed as JSON too, as the API answers it: a program reads standard output
 * whatever came of it. What else goes wrong has no such answer. The error goes on to standard error as words.
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

/** A machine that is another one is told with its way out, and strictness has nothing to do with it. */
function isUnsupported({ code, details }: ExecgoApiError): boolean {
  const isDemand = typeof details === 'object' && details !== null && 'demand' in details;
  return code === 'unsupported_capability' && !isDemand;
}
