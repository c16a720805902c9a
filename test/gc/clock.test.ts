import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { command, http, startDaemon, submitAndWait, tempDir, waitFor } from '../harness/index.js';

/** What `faketime` preloads; it may lie in one directory or another. */
function fakeTimeLibrary(): string {
  const { stdout } = spawnSync('faketime', ['-f', '+0', 'printenv', 'LD_PRELOAD'], { encoding: 'utf8' });
  expect(stdout.trim(), 'the package faketime must be installed').not.toBe('');
  return stdout.trim();
}

test('the wall clock jumps a day both ways: nothing is collected early, and what is due is', async () => {
  const timeFile = join(tempDir(), 'clock');
  const jump = (offset: string) => {
    // Replaced in one step: a half-written offset would be none.
    fs.writeFileSync(`${timeFile}.new`, `${offset}\n`);
    fs.renameSync(`${timeFile}.new`, timeFile);
  };
  jump('+0');
  const env = {
    LD_PRELOAD: fakeTimeLibrary(),
    FAKETIME_TIMESTAMP_FILE: timeFile,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  const flags = ['--result-retention-secs', '3600', '--gc-interval-ms', '20'];
  const daemon = await startDaemon({ flags, env });
  const today = () => Date.now() / 86_400_000;
  const started = async (task_id: string) => {
    const { created_at } = await submitAndWait(daemon, command('true', [], { task_id }));
    return Math.round(Date.parse(created_at) / 86_400_000 - today()) || 0;
  };
  const ids = async () =>
    (await http(daemon.url).get('/api/v1/tasks')).body.tasks.map((t: { task_id: string }) => t.task_id);
  const passes = async () => {
    const rounds = async () =>
      Number(
        /^execgo_runtime_gc_passes_total (\d+)$/m.exec((await http(daemon.url).get('/metrics')).text)?.[1],
      );
    const before = await rounds();
    await waitFor(async () => (await rounds()) > before + 2, { what: 'three rounds of collection' });
  };
  expect(await started('before')).toBe(0);
  jump('+1d');
  expect(await started('tomorrow')).toBe(1);
  await passes();
  jump('-1d');
  expect(await started('yesterday')).toBe(-1);
  await passes();
  expect(await ids()).toEqual(['yesterday', 'tomorrow', 'before']);
  // The same across a restart.
  jump('+2d');
  await daemon.restart();
  await passes();
  expect(await ids()).toHaveLength(3);
  await daemon.restart({ flags: ['--result-retention-secs', '1', '--gc-interval-ms', '20'] });
  await waitFor(async () => (await ids()).length === 0, { what: 'the collection of what is due' });
});
