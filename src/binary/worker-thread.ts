import { getAsset, isSea } from 'node:sea';
import { basename } from 'node:path';
import { Worker } from 'node:worker_threads';

/**
 * Starts a module as a worker thread, without the daemon's environment and flags.
 * @param module of this package. In the single executable, which has no files beside it, what lies in it under the same
 * name
 */
export function startWorkerThread(module: URL, workerData?: unknown): Worker {
  const alone = { workerData, execArgv: [], env: {} };
  return isSea()
    ? new Worker(getAsset(basename(module.pathname), 'utf8'), { ...alone, eval: true })
    : new Worker(module, alone);
}
