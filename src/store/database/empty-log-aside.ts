import { once } from 'node:events';
import { startWorkerThread } from '../../binary/worker-thread.js';

/** As {@link emptyLog}, in a thread of its own: moving some dozen megabytes would hold up everybody else. */
export async function emptyLogAside(path: string): Promise<boolean> {
  const worker = startWorkerThread(new URL('./empty-log-worker.js', import.meta.url), path);
  try {
    const [emptied] = (await once(worker, 'message')) as [boolean];
    return emptied;
  } finally {
    await worker.terminate();
  }
}
