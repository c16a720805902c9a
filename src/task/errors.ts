import { ERROR_STATUS, type ErrorCode } from './error-codes.js';
import type { ErrorBody } from './error-body.js';

/** An error with a code from the closed set; whatever else is thrown is answered as `internal`. */
export class ExecgoError extends Error {
  override readonly name = 'ExecgoError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details?: unknown,
  ) {
    super(message);
  }

  /** HTTP status of {@link code}. */
  get httpStatus(): number {
    return ERROR_STATUS[this.code];
  }

  toBody(): ErrorBody {
    return {
      code: this.code,
      message: this.message,
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }
}

/** What a client sees of anything that was thrown. */
export function bodyOf(error: unknown): ErrorBody {
  return error instanceof ExecgoError
    ? error.toBody()
    : { code: 'internal', message: 'internal error; the log of the daemon has the details' };
}

/** @returns `invalid_input` with the prefix that clients know; `message` names the field. */
export function invalidInput(message: string, details?: unknown): ExecgoError {
  return new ExecgoError('invalid_input', `invalid input: ${message}`, details);
}

/** @returns `not_found` in the words that clients know for an unknown task. */
export function taskNotFound(taskId: string): ExecgoError {
  return new ExecgoError('not_found', `task not found: ${taskId}`);
}

/** @returns `not_found` for a session that there is not, or that is another tenant's. */
export function sessionNotFound(sessionId: string): ExecgoError {
  return new ExecgoError('not_found', `session not found: ${sessionId}`, { session_id: sessionId });
}
