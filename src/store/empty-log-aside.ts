import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** As {@link emptyLog}, in a thread of its own: moving some dozen megabytes would hold up everybody else. */
export async function emptyLogAside(path: string): Promise<boolean> {
  const worker = new Worker(new URL('./empty-log-worker.js', import.meta.url), {
    workerData: path,
    execArgv: [],
    env: {},
  });
  try {
    const [emptied] = (await once(worker, 'message')) as [boolean];
    return emptied;
  } finally {
    await worker.terminate();
  }
}
