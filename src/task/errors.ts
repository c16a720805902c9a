/** The one map from error code to HTTP status. Codes without an HTTP answer of their own stand in a task's `error` only. */
export const ERROR_STATUS = {
  invalid_input: 400,
  unsupported_capability: 400,
  insufficient_resources: 400,
  launch_failed: 400,
  sandbox_setup_failed: 400,
  unauthorized: 401,
  permission_denied: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  conflict: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  resource_limit_exceeded: 429,
  internal: 500,
  unavailable: 503,
  insufficient_storage: 507,
  timeout: 500,
  cancelled: 500,
  memory_limit_exceeded: 500,
  cpu_limit_exceeded: 500,
  exit_nonzero: 500,
  signal: 500,
} as const satisfies Record<string, number>;

export type ErrorCode = keyof typeof ERROR_STATUS;

/** What a client sees of an error, in an HTTP answer and in a task's `error`. */
export interface ErrorBody {
  code: ErrorCode;
  message: string;
  details?: unknown;
}

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

/** @returns `invalid_input` with the prefix that clients know; `message` names the field. */
export function invalidInput(message: string, details?: unknown): ExecgoError {
  return new ExecgoError('invalid_input', `invalid input: ${message}`, details);
}

/** @returns `not_found` in the words that clients know for an unknown task. */
export function taskNotFound(taskId: string): ExecgoError {
  return new ExecgoError('not_found', `task not found: ${taskId}`);
}
