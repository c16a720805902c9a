import { http } from '../harness/http.js';
import type { BenchDaemon } from './daemon.js';
import type { Request } from './load/job.js';

/** A request that changes nothing, and how often a round makes it. */
export interface Read {
  name: string;
  count: number;
  requests: Request[];
}

/** Tasks on a page. */
const PAGE = 20;
/** The page that is far from the first. */
const FAR_PAGE = 1000;
/** Tasks skipped with one request on the way there. */
const STRIDE = 1000;

/**
 * Every read whose cost could depend on the number of tasks.
 * @param finished ids of ended tasks, read in turn
 * @param running id of a task that runs
 */
export async function reads(
  daemon: BenchDaemon,
  finished: readonly string[],
  running: string,
): Promise<Read[]> {
  const { get } = http(daemon.url);
  const list = (query: string): Request[] => [{ method: 'GET', path: `/api/v1/tasks?limit=${PAGE}${query}` }];
  const one = (path: string): Request[] => [{ method: 'GET', path }];
  const each = (path: string) => finished.flatMap((id) => one(`/api/v1/tasks/${id}${path}`));
  const far = await farCursor(daemon);
  const { body: newest } = await get<{ seq: number }[]>(`/api/v1/tasks/${finished.at(-1)}/events`);
  const tail = Math.max(0, newest.at(-1)!.seq - PAGE);
  return [
    { name: 'status of a finished task', count: 500, requests: each('') },
    { name: 'status of a running task', count: 300, requests: one(`/api/v1/tasks/${running}`) },
    { name: 'events of a task', count: 500, requests: each('/events') },
    { name: 'first events', count: 200, requests: one(`/api/v1/events?after_seq=0&limit=${PAGE}`) },
    { name: 'newest events', count: 200, requests: one(`/api/v1/events?after_seq=${tail}&limit=${PAGE}`) },
    { name: 'list, first page', count: 100, requests: list('') },
    { name: 'list, 1,000th page', count: 100, requests: list(far === undefined ? '' : `&cursor=${far}`) },
    { name: 'list by status', count: 100, requests: list('&order=oldest&status=failed') },
    { name: 'list by tenant', count: 100, requests: list('&order=oldest&tenant=beta') },
    { name: 'list by label', count: 100, requests: list('&order=oldest&label=team=team-3') },
    { name: 'list by text', count: 100, requests: list('&order=oldest&text=module-') },
    { name: 'list by text, no match', count: 20, requests: list('&text=no-such-text') },
    { name: 'metrics', count: 100, requests: one('/metrics') },
    { name: 'resources', count: 200, requests: one('/api/v1/runtime/resources') },
  ];
}

/** Where the far page begins, or as far from the first as there are tasks; undefined where they fill one stride at most. */
async function farCursor(daemon: BenchDaemon): Promise<string | undefined> {
  const { get } = http(daemon.url);
  let cursor: string | undefined;
  for (let skipped = 0; skipped < FAR_PAGE * PAGE; skipped += STRIDE) {
    const from = cursor === undefined ? '' : `&cursor=${cursor}`;
    const { body } = await get<{ next_cursor?: string }>(`/api/v1/tasks?limit=${STRIDE}${from}`);
    if (body.next_cursor === undefined) break;
    cursor = body.next_cursor;
  }
  return cursor;
}
