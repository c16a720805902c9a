import { expect, test } from 'vitest';
import { MAX_EVENTS_READ } from '../../src/store/event-search.js';
import { tempDir } from '../harness/temp-dir.js';
import { insert, openedStore, rawDatabase } from './support.js';

test('a page looks at a bounded part of the log, and the next goes on from there', async () => {
  const dir = tempDir();
  const store = openedStore(dir);
  await insert(store, 'many');
  const total = 2 * MAX_EVENTS_READ + 30;
  store.close();
  rawDatabase(dir).exec(`WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < ${total})
    INSERT INTO task_events (seq, task_id, event_type, timestamp_ms)
    SELECT i * 3, 'many', CASE WHEN i IN (11, ${total - 1}, ${total}) THEN 'failed' ELSE 'started' END, 1 FROM n`);
  const again = openedStore(dir);
  const filter = { event_type: ['failed' as const] };
  const first = await again.events.where(filter, 0, 10);
  expect(first.events.map(({ seq }) => seq)).toEqual([33]);
  expect(first.isEnd).toBe(false);
  const second = await again.events.where(filter, first.lastSeq, 10);
  expect(second.events).toEqual([]);
  const third = await again.events.where(filter, second.lastSeq, 1);
  expect(third).toMatchObject({ events: [{ seq: (total - 1) * 3 }], lastSeq: (total - 1) * 3, isEnd: false });
  const last = await again.events.where(filter, third.lastSeq, 1);
  expect(last).toMatchObject({ events: [{ seq: total * 3 }], isEnd: true });
  const gone = new AbortController();
  const search = again.events.where({ tenant: 'nobody' }, 0, 10, gone.signal);
  gone.abort();
  await expect(search).rejects.toThrow();
});
