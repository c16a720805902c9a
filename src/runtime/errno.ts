import { ExecgoError } from '../task/errors.js';

/** True when `error` is a system error with one of these codes. */
export function isErrno(error: unknown, ...codes: string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** A full, failing or read-only disk → `insufficient_storage`, which tells the client to come again; anything else as it is. */
export function asStorageError(error: unknown): unknown {
  if (!isErrno(error, 'ENOSPC', 'EDQUOT', 'EROFS', 'EIO')) return error;
  return new ExecgoError(
    'insufficient_storage',
    `insufficient storage: the data directory cannot be written to (${error.code ?? ''}); free some space and submit again`,
  );
}
