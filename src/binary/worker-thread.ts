import { getAsset, isSea } from 'node:sea';
import { basename } from 'node:path';
import { Worker } from 'node:worker_threads';
import { PLACE_VARIABLES } from './native-places.js';

/**
 * Starts a module as a worker thread, without the daemon's flags and, but for where native modules are unpacked, without its
 * environment.
 * @param module of this package. In the single executable, which has no files beside it, what lies in it under the same
 * name
 */
export function startWorkerThread(module: URL): Worker {
  const options = { execArgv: [], env: {} };
  if (!isSea()) return new Worker(module, options);
  const env = Object.fromEntries(
    PLACE_VARIABLES.flatMap((name) => (name in process.env ? [[name, process.env[name]]] : [])),
  );
  return new Worker(getAsset(basename(module.pathname), 'utf8'), { ...options, env, eval: true });
}
