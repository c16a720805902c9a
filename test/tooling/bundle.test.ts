import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { EXECUTABLE } from '../harness/executable.js';
import { tempDir } from '../harness/index.js';

const BIN = dirname(EXECUTABLE);

/** A package that has nothing but its `dist/bin`: no other module of ours, and no dependency. */
function onlyBin(): string {
  const dir = tempDir();
  mkdirSync(join(dir, 'dist'));
  cpSync(BIN, join(dir, 'dist/bin'), { recursive: true });
  copyFileSync(join(BIN, '../../package.json'), join(dir, 'package.json'));
  return join(dir, 'dist/bin/execgo.js');
}

const run = (entry: string, args: string[]) =>
  spawnSync(process.execPath, [entry, ...args], {
    encoding: 'utf8',
    env: { ...process.env, EXECGO_RUNTIME_URL: 'unix:/nowhere/execgo.sock' },
  });

test.each([
  ['status', ['status', 'a']],
  ['list', ['list']],
  ['run', ['run', '--', 'true']],
  ['submit', ['submit', '--', 'true']],
  ['wait', ['wait', 'a', '--timeout-ms', '0']],
  ['kill', ['kill', 'a']],
  ['pause', ['pause', 'a']],
  ['logs', ['logs', 'a']],
  ['gc', ['gc', '--server', 'unix:/nowhere/execgo.sock']],
])('execgo %s loads nothing but what the build put beside it', (_name, args) => {
  const { status, stderr } = run(onlyBin(), args);
  expect(stderr).toContain('cannot reach execgo at unix:/nowhere/execgo.sock');
  expect(status).toBe(1);
});

test('help and version need nothing else, either', () => {
  const entry = onlyBin();
  expect(run(entry, ['--version']).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  for (const args of [['--help'], ['serve', '--help'], ['doctor', '--help']])
    expect(run(entry, args)).toMatchObject({ status: 0, stderr: '' });
});

test('the supervisor, too, is one file beside the entry', () => {
  const { status, stderr } = run(onlyBin(), ['internal-supervisor']);
  expect(stderr).toContain('--dir and --incarnation are required');
  expect(status).toBe(1);
});
