import fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { command, http, startDaemon, submitAndWait, tempDir, waitFor } from '../harness/index.js';

/** Much longer than any single step may hold the daemon up, and much shorter than the removal takes. Milliseconds. */
const HANG_GUARD_MS = 2000;

test('what hostile tasks leave is removed, the daemon answers meanwhile, and nothing outside is touched', async () => {
  const daemon = await startDaemon({ flags: ['--gc-interval-ms', '3600000'] });
  const outside = tempDir();
  fs.writeFileSync(join(outside, 'precious'), 'precious');
  const scripts: Record<string, string> = {
    links: `ln -s '${outside}' dir; ln -s '${outside}/precious' file; ln -s / root; mkdir -p a/b; ln -s .. a/b/up`,
    modes: 'mkdir -p a/b/c; echo x > a/b/c/f; chmod 0 a/b/c/f a/b/c a/b a; chmod 0 .',
    kinds: 'mkfifo fifo; mknod null c 1 3',
    names: String.raw`touch "$(printf '\377\376')" "$(printf 'a\nb')" -- -rf '*' ' '`,
    deep: 'i=0; while [ $i -lt 300 ]; do mkdir level; cd ./level; i=$((i+1)); done; echo x > f',
    many: 'seq 1 100000 | xargs touch',
  };
  for (const [task_id, text] of Object.entries(scripts))
    expect(
      await submitAndWait(daemon, command('sh', ['-c', text], { task_id }), 60_000),
      task_id,
    ).toMatchObject({
      status: 'success',
    });
  const { get, post } = http(daemon.url);
  const state = { collected: false };
  const collection = post('/api/v1/gc', { older_than_ms: 0 }).finally(() => (state.collected = true));
  let answers = 0;
  let slowest = 0;
  while (!state.collected) {
    const began = performance.now();
    expect((await get('/healthz')).status).toBe(200);
    slowest = Math.max(slowest, performance.now() - began);
    answers++;
  }
  expect((await collection).body).toMatchObject({ removed: 6, problems: [] });
  expect(answers).toBeGreaterThan(3);
  expect(slowest).toBeLessThan(HANG_GUARD_MS);
  expect(fs.readdirSync(join(daemon.dataDir, 'trash'))).toEqual([]);
  expect(fs.readdirSync(join(daemon.dataDir, 'tasks'))).toEqual([]);
  expect(fs.readFileSync(join(outside, 'precious'), 'utf8')).toBe('precious');
});

test('DELETE removes a task in the same way', async () => {
  const daemon = await startDaemon();
  const outside = tempDir();
  fs.writeFileSync(join(outside, 'precious'), 'precious');
  await submitAndWait(
    daemon,
    command('sh', ['-c', `ln -s '${outside}' l; mkdir m; chmod 0 m`], { task_id: 'a' }),
  );
  expect((await http(daemon.url).delete('/api/v1/tasks/a')).status).toBe(200);
  expect((await http(daemon.url).delete('/api/v1/tasks/a')).status).toBe(404);
  await waitFor(() => fs.readdirSync(join(daemon.dataDir, 'trash')).length === 0);
  expect(fs.readFileSync(join(outside, 'precious'), 'utf8')).toBe('precious');
});
