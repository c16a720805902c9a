import type { ChangesPage } from '../task/view.js';
import { ExecgoApiError } from './errors.js';
import type { Change, ChangesOptions } from './types.js';

/** The longest that the daemon holds a request, in milliseconds. */
const MAX_LONG_POLL_MS = 60_000;

/** What to ask for a page of changes. */
export interface PageQuery {
  changed_after: number;
  cursor?: string | undefined;
  wait_ms?: number | undefined;
}

/**
 * What became of tasks since a version, in order; see `ExecgoClient.changes`.
 * @param ask asks for a page, and bears a daemon that is out of reach
 */
export async function* changes(
  ask: (query: PageQuery) => Promise<ChangesPage>,
  { after = 0, follow = false }: Pick<ChangesOptions, 'after' | 'follow'>,
): AsyncGenerator<Change> {
  let query: PageQuery = { changed_after: after };
  for (;;) {
    const page = await ask(query).catch((error: unknown) => {
      if (error instanceof ExecgoApiError && error.code === 'gone') return undefined;
      throw error;
    });
    if (page === undefined) {
      yield { type: 'reset' };
      query = { changed_after: 0 };
      continue;
    }
    yield* inOrder(page);
    const { next_cursor: cursor, version } = page;
    if (version === undefined) {
      query = { changed_after: query.changed_after, cursor };
      continue;
    }
    yield { type: 'caught_up', version };
    if (!follow) return;
    query = { changed_after: version, wait_ms: MAX_LONG_POLL_MS };
  }
}

function inOrder({ tasks, deleted }: ChangesPage): Change[] {
  const all: Exclude<Change, { type: 'reset' | 'caught_up' }>[] = [
    ...tasks.map((task) => ({ type: 'task' as const, version: task.version, task })),
    ...deleted.map((task) => ({ type: 'deleted' as const, ...task })),
  ];
  return all.sort((a, b) => a.version - b.version);
}
