import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { tempDir, waitFor } from '../harness/index.js';

const LOCK = pathToFileURL(join(import.meta.dirname, '../../bin/checkout-lock.mjs')).href;

/** Takes the lock, writes when it has it and when it gives it back, and holds it until its input ends. */
const HOLDER = `
  import { appendFileSync } from 'node:fs';
  import { lockCheckout } from ${JSON.stringify(LOCK)};
  const release = await lockCheckout(() => appendFileSync('log', 'waits\\n'));
  appendFileSync('log', 'has\\n');
  for await (const _ of process.stdin);
  appendFileSync('log', 'gives\\n');
  release();
`;

function holder(cwd: string) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', HOLDER], {
    cwd,
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  return { child, ended: once(child, 'exit') as Promise<[number | null]> };
}

function checkout(): { dir: string; log: () => string[] } {
  const dir = tempDir();
  appendFileSync(join(dir, 'log'), '');
  return { dir, log: () => readFileSync(join(dir, 'log'), 'utf8').split('\n').filter(Boolean) };
}

test('of many that want it one at a time has it, and nothing is left', async () => {
  const { dir, log } = checkout();
  const all = Array.from({ length: 6 }, () => holder(dir));
  for (const { child } of all) child.stdin.end();
  const codes = await Promise.all(all.map(({ ended }) => ended));
  expect(codes.map(([code]) => code)).toEqual([0, 0, 0, 0, 0, 0]);
  const turns = log().filter((line) => line !== 'waits');
  expect(turns).toEqual(Array.from({ length: 6 }, () => ['has', 'gives']).flat());
  expect(existsSync(join(dir, '.setup-lock'))).toBe(false);
});

test('the lock of one that was killed is free, and is in a folder closed to others meanwhile', async () => {
  const { dir, log } = checkout();
  const first = holder(dir);
  await waitFor(() => log().includes('has'));
  expect(statSync(join(dir, '.setup-lock')).mode & 0o777).toBe(0o700);
  const second = holder(dir);
  await waitFor(() => log().includes('waits'));
  expect(log().filter((line) => line === 'has')).toHaveLength(1);
  first.child.kill('SIGKILL');
  await first.ended;
  await waitFor(() => log().filter((line) => line === 'has').length === 2);
  second.child.stdin.end();
  expect(await second.ended).toEqual([0, null]);
  expect(log()).toEqual(['has', 'waits', 'has', 'gives']);
});

test('a folder of its name that cannot be used is named', async () => {
  const { dir } = checkout();
  appendFileSync(join(dir, '.setup-lock'), '');
  const child = spawn(process.execPath, ['--input-type=module', '-e', HOLDER], {
    cwd: dir,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (text: Buffer) => (said += text.toString()));
  const [code] = (await once(child, 'exit')) as [number | null];
  expect(code).toBe(1);
  expect(said).toContain('.setup-lock');
});
