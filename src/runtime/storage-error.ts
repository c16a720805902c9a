import { isErrno } from '../files/errno.js';
import { ExecgoError } from '../task/errors.js';

/**
 * A full, failing or read-only disk → `insufficient_storage`, which tells the client to try again; any other error is
 * returned as it is.
 */
export function asStorageError(error: unknown): unknown {
  if (!isErrno(error, 'ENOSPC', 'EDQUOT', 'EROFS', 'EIO')) return error;
  return new ExecgoError(
    'insufficient_storage',
    `insufficient storage: the data directory cannot be written to (${error.code ?? ''}); free some space and submit again`,
  );
}
