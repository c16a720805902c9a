import fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkDatabase } from '../../src/store/database/check.js';
import { command, execgo, http, startDaemon, submitAndWait, tempDir } from '../harness/index.js';

test('a copy made while the daemon writes is consistent, private and complete, and a daemon starts from it', async () => {
  const daemon = await startDaemon({ flags: ['--max-queued-tasks', '100000'] });
  await submitAndWait(daemon, command('echo', ['before'], { task_id: 'before' }));
  const target = join(tempDir(), 'data');
  fs.mkdirSync(target, { mode: 0o700 });
  const copy = join(target, 'runtime.db');
  const state = { done: false };
  const writer = (async () => {
    for (let i = 0; !state.done && i < 300; i++)
      await http(daemon.url).post('/api/v1/tasks', command('true', [], { task_id: `t${i}` }));
  })();
  const backup = (file: string) => execgo(['backup', '--data-dir', daemon.dataDir, file]);
  const made = await backup(copy);
  state.done = true;
  await writer;
  expect(made).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
  expect(fs.readdirSync(target)).toEqual(['runtime.db']);
  expect(fs.statSync(copy).mode & 0o777).toBe(0o600);
  expect(checkDatabase(copy)).toEqual([]);
  const again = await backup(copy);
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('choose another name')]);
  const restored = await startDaemon({ dataDir: target });
  expect((await http(restored.url).get('/api/v1/tasks/before')).body).toMatchObject({
    status: 'success',
    exit_code: 0,
  });
});

test('a copy made without a daemon; what cannot be copied leaves nothing', async () => {
  const daemon = await startDaemon();
  await submitAndWait(daemon, command('true', [], { task_id: 'a' }));
  await daemon.stop();
  const dir = tempDir();
  const backup = (dataDir: string, file: string) =>
    execgo(['backup', '--data-dir', dataDir, join(dir, file)]);
  expect((await backup(daemon.dataDir, 'copy.db')).code).toBe(0);
  expect(checkDatabase(join(dir, 'copy.db'))).toEqual([]);
  const missing = await backup(tempDir(), 'none.db');
  expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('is not a data directory')]);
  const nowhere = await backup(daemon.dataDir, 'no/such/dir.db');
  expect([nowhere.code, nowhere.stderr]).toEqual([
    1,
    expect.stringContaining(`cannot write ${dir}/no/such/dir.db: ${dir}/no/such does not exist; name a file`),
  ]);
  expect((await execgo(['backup'])).code).toBe(2);
  expect(fs.readdirSync(dir)).toEqual(['copy.db']);
});
