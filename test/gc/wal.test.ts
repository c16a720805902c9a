import fs from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { WalKeeper } from '../../src/runtime/upkeep/wal-keeper.js';
import { command, http, startDaemon, waitFor } from '../harness/index.js';

const MIB = 1024 * 1024;

test('the write-ahead log is emptied above its bound; who is in the way is told of once', async () => {
  const said: string[] = [];
  const log = { info: (_: object, m: string) => said.push(m), warn: (_: object, m: string) => said.push(m) };
  const store = { bytes: 0, free: true, tries: 0 };
  const keeper = new WalKeeper(
    {
      walBytes: () => store.bytes,
      emptyLog: () => {
        store.tries++;
        if (store.free) store.bytes = 0;
        return Promise.resolve(store.free);
      },
    },
    log as never,
    100,
    0,
  );
  const check = async (bytes: number, free: boolean) => {
    Object.assign(store, { bytes, free });
    await keeper.check();
    return [store.tries, said.length];
  };
  expect(await check(100, true)).toEqual([0, 0]);
  expect(await check(101, true)).toEqual([1, 0]);
  expect(await check(200, false)).toEqual([2, 1]);
  expect(await check(300, false)).toEqual([3, 1]);
  expect(await check(300, true)).toEqual([4, 2]);
  expect(await check(300, false)).toEqual([5, 3]);
  expect(said[0]).toContain('another process');
});

test('a reader from outside lets the log grow; it is emptied when the reader lets go', async () => {
  const daemon = await startDaemon({ flags: ['--gc-interval-ms', '50', '--max-queued-tasks', '1000'] });
  const wal = () => fs.statSync(join(daemon.dataDir, 'runtime.db-wal')).size;
  const reader = new Database(join(daemon.dataDir, 'runtime.db'), { readonly: true });
  onTestFinished(() => {
    reader.close();
  });
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM tasks').get();
  const big = { metadata: { text: 'x'.repeat(1_900_000) } };
  for (let i = 0; wal() < 66 * MIB; i++)
    expect(
      (await http(daemon.url).post('/api/v1/tasks', command('true', [], { task_id: `t${i}`, ...big })))
        .status,
    ).toBe(200);
  await waitFor(() => daemon.logs().some((l) => l.msg.startsWith('the write-ahead log grows')), {
    what: 'the warning',
  });
  expect(wal()).toBeGreaterThan(64 * MIB);
  expect((await http(daemon.url).get('/readyz')).status).toBe(200);
  reader.exec('COMMIT');
  await waitFor(() => wal() < 10 * MIB, { what: 'a short log' });
  await waitFor(() => daemon.logs().some((l) => l.msg === 'the write-ahead log could be emptied again'), {
    what: 'the all-clear',
  });
  expect(daemon.logs().filter((l) => l.msg.startsWith('the write-ahead log'))).toHaveLength(2);
});

test('readers of the daemon itself, however slow, do not let the log grow', async () => {
  const daemon = await startDaemon({ flags: ['--gc-interval-ms', '50', '--max-queued-tasks', '1000'] });
  const big = { metadata: { text: 'x'.repeat(1_900_000) } };
  for (let i = 0; i < 8; i++)
    await http(daemon.url).post('/api/v1/tasks', command('true', [], { task_id: `t${i}`, ...big }));
  // An answer of 15 MB that nobody reads.
  const answer = await http(daemon.url).open('/api/v1/tasks?limit=8');
  onTestFinished(() => void answer.destroy());
  expect(answer.statusCode).toBe(200);
  let longest = 0;
  for (let i = 8; i < 26; i++) {
    await http(daemon.url).post('/api/v1/tasks', command('true', [], { task_id: `t${i}`, ...big }));
    longest = Math.max(longest, fs.statSync(join(daemon.dataDir, 'runtime.db-wal')).size);
  }
  expect(longest).toBeLessThan(64 * MIB);
});
