import { AskedThread } from '../../binary/asked-thread.js';
import { startWorkerThread } from '../../binary/worker-thread.js';

/** As {@link emptyLog}, in a thread of its own: moving some dozen megabytes would hold up everybody else. */
export async function emptyLogAside(path: string): Promise<boolean> {
  const start = () => startWorkerThread(new URL('./empty-log-worker.js', import.meta.url));
  const thread = new AskedThread<string, boolean>({ start, idleMs: 0 });
  try {
    return await thread.ask(path);
  } finally {
    await thread.close();
  }
}
