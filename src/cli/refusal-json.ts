import { ExecgoApiError } from '../client/index.js';
import { isWholeRequest, type RequestOptions } from './request-options.js';
import { inFlags, REQUEST_FLAGS } from './typed-flags.js';
import { printJson } from './write.js';

/**
 * Runs `work` for a command that submits. When the API refuses and the command prints JSON, the answer is printed as JSON on
 * standard output, so that a program can read the result there in any case. Other errors have no such answer. The error is
 * then thrown on, to be told on standard error: in terms of the flags, where the request was made of them.
 */
export async function printingRefusals<T>(
  asJson: boolean,
  options: RequestOptions,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ExecgoApiError)) throw error;
    const { code, message, details } = error;
    if (asJson) await printJson({ error: { code, message, details } });
    const told = isWholeRequest(options) ? error : inFlags(error, REQUEST_FLAGS);
    if (options.strict !== true || !isUnsupported(error)) throw told;
    throw new Error(`${told.message} (leave out --strict to run with what this machine can enforce)`, {
      cause: error,
    });
  }
}

/** The request demands another kind of machine, which is no question of strictness. */
function isUnsupported({ code, details }: ExecgoApiError): boolean {
  const isDemand = typeof details === 'object' && details !== null && 'demand' in details;
  return code === 'unsupported_capability' && !isDemand;
}
