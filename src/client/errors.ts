import type { ErrorCode } from '../task/error-codes.js';

/** The daemon refused a request, or failed it: `{ error }` with its HTTP status. */
export class ExecgoApiError extends Error {
  override readonly name = 'ExecgoApiError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    /** HTTP status of the answer. */
    readonly status: number,
    readonly details?: unknown,
    /** When the daemon wants to be asked again, in milliseconds, where it said so: its queue is full. */
    readonly retryAfterMs?: number,
    /** The daemon that refused, as people write it. */
    readonly server?: string,
  ) {
    super(message);
  }
}

/** No usable answer came: nothing listens, the connection was lost, or what answers is not an execgo daemon. */
export class ExecgoConnectionError extends Error {
  override readonly name = 'ExecgoConnectionError';
  constructor(
    message: string,
    /** The system's code, such as `ECONNREFUSED`; absent when the system named none. */
    readonly code?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A wait ran out before the task was terminal. The task goes on. */
export class ExecgoTimeoutError extends Error {
  override readonly name = 'ExecgoTimeoutError';
  constructor(
    readonly taskId: string,
    /** What was waited for, in milliseconds. */
    readonly timeoutMs: number,
    what: 'task' | 'group' = 'task',
  ) {
    super(`${what} ${taskId} did not end within ${String(timeoutMs)} ms; it goes on`);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection lost',
  EAGAIN: 'too many connections wait to be accepted',
  EPIPE: 'connection lost',
  ENOENT: 'no such socket',
  EACCES: 'permission denied',
  ENOTFOUND: 'unknown host',
  EAI_AGAIN: 'the host name could not be looked up',
  ETIMEDOUT: 'connection timed out',
};

/** What a person can do about it: starting the daemon helps where nothing listens, and nowhere else. */
const NOT_LISTENING = new Set(['ECONNREFUSED', 'ENOENT']);

/** @returns the error for a failed exchange with `server`, with the system's error as its cause. */
export function connectionError(server: string, cause: NodeJS.ErrnoException): ExecgoConnectionError {
  const code = cause.code ?? '';
  const hint = NOT_LISTENING.has(code) ? '; is `execgo serve` running?' : '';
  const reason = REASONS[code] ?? cause.message;
  return new ExecgoConnectionError(`cannot reach execgo at ${server}: ${reason}${hint}`, cause.code, {
    cause,
  });
}

/** True where the same request may succeed in a moment, because the daemon restarts. */
export function isTransient(error: unknown): boolean {
  if (error instanceof ExecgoApiError) return error.code === 'unavailable';
  return error instanceof ExecgoConnectionError && error.code !== undefined && TRANSIENT.has(error.code);
}

/** Nothing was sent: a Unix socket answers EAGAIN to a connection for which there is no room at the moment. */
const NOT_SENT = new Set(['ECONNREFUSED', 'ENOENT', 'EAGAIN']);
const TRANSIENT = new Set([...NOT_SENT, 'ECONNRESET', 'EPIPE', 'ETIMEDOUT']);

/** True where the daemon was not reached at all, so that even what it must get once may be sent again. */
export function isNotSent(error: unknown): boolean {
  return error instanceof ExecgoConnectionError && error.code !== undefined && NOT_SENT.has(error.code);
}

/** When to ask again who asks too often, in milliseconds; undefined where that is not why it was refused. */
export function busyForMs(error: unknown): number | undefined {
  return error instanceof ExecgoApiError && error.code === 'resource_limit_exceeded'
    ? error.retryAfterMs
    : undefined;
}
