import { parentPort } from 'node:worker_threads';
import pidusage from 'pidusage';

/** What the sampler asks: the figures of these processes now. */
export interface UsageQuestion {
  id: number;
  pids: number[];
}

/** Share of one core in percent, and resident bytes, of each process that is still there. */
export interface UsageReply {
  id: number;
  figures: { cpu: number; memory: number }[];
}

/** How long pidusage keeps what it needs to compare two samples. Milliseconds. */
const HISTORY_MS = 5000;

async function figuresOf(pid: number): Promise<UsageReply['figures']> {
  try {
    const { cpu, memory } = await pidusage(pid, { maxage: HISTORY_MS });
    return [{ cpu, memory }];
  } catch {
    // It ended between the listing and the reading.
    return [];
  }
}

parentPort?.on('message', ({ id, pids }: UsageQuestion) => {
  void Promise.all(pids.map(figuresOf)).then((figures) => {
    parentPort?.postMessage({ id, figures: figures.flat() } satisfies UsageReply);
  });
});
