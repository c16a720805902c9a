import { AskedThread } from '../../binary/asked-thread.js';
import { startWorkerThread } from '../../binary/worker-thread.js';

/** As {@link emptyLog}, in a worker thread: moving dozens of megabytes would block the event loop. */
export async function emptyLogAside(path: string): Promise<boolean> {
  const start = () => startWorkerThread(new URL('./empty-log-worker.js', import.meta.url));
  const thread = new AskedThread<string, boolean>({ start, idleMs: 0 });
  try {
    return await thread.ask(path);
  } finally {
    await thread.close();
  }
}
