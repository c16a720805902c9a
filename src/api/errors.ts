import { METHODS } from 'node:http';
import type { NextFunction, Request, Response } from 'express';
import type { Logger } from 'pino';
import { ExecgoError, invalidInput } from '../task/errors.js';
import { sendJson } from './respond.js';

/**
 * When to try again if the queue or the daemon is busy, in seconds. Nobody knows how long that takes; a second is soon
 * enough and no burden.
 */
const RETRY_AFTER_SECS = 1;

/** The error handler: answers an {@link ExecgoError} as it is, and anything else as `internal` without details. */
export function errorHandler(
  log: Logger,
): (error: unknown, req: Request, res: Response, next: NextFunction) => void {
  // Express recognizes an error handler by its four parameters.
  return (error, req, res, _next) => {
    const known = asExecgoError(error);
    const where = { method: req.method, path: req.path };
    if (known === undefined) log.error({ ...where, err: error }, 'request failed');
    else if (known.httpStatus >= 500) log.warn({ ...where, err: known }, 'request failed');
    else log.debug({ ...where, code: known.code }, 'request refused');
    if (res.headersSent) res.destroy();
    else sendError(res, known ?? new ExecgoError('internal', 'internal error'));
  };
}

/** Answers an error as `{ error }`, the only form there is. */
function sendError(res: Response, error: ExecgoError): void {
  if ((error.httpStatus === 429 && !isForGood(error)) || error.httpStatus === 503)
    res.setHeader('retry-after', RETRY_AFTER_SECS);
  sendJson(res, { error: error.toBody() }, error.httpStatus);
}

/** @returns the error for a request whose target has no path. */
export function noPath(): ExecgoError {
  return invalidInput('request target: has no path');
}

/** Bounds of a task that no waiting changes. */
const FOR_GOOD: readonly unknown[] = ['commands', 'task_events', 'task_event_bytes'];

function isForGood({ details }: ExecgoError): boolean {
  return (
    typeof details === 'object' && details !== null && 'bound' in details && FOR_GOOD.includes(details.bound)
  );
}

/** For a path that has no route. */
export function unknownRoute(req: Request): never {
  throw new ExecgoError('not_found', `route not found: ${req.method} ${req.path}`);
}

/** For a path that has routes, but none for this method. */
export function wrongMethod(allowed: readonly string[]): (req: Request, res: Response) => never {
  const allow = METHODS.filter((m) => allowed.includes(m) || (m === 'HEAD' && allowed.includes('GET'))).join(
    ', ',
  );
  return (req, res) => {
    res.setHeader('allow', allow);
    throw new ExecgoError(
      'method_not_allowed',
      `method not allowed: ${req.method} ${req.path}, only ${allow}`,
    );
  };
}

function asExecgoError(error: unknown): ExecgoError | undefined {
  if (error instanceof ExecgoError) return error;
  // Express itself refuses only a path with an invalid %-escape.
  return error instanceof URIError ? invalidInput('path: is not valid percent-encoding') : undefined;
}
