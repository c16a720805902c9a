import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { tempDir, waitFor } from '../harness/index.js';
import type { Report } from './report.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const MAIN = ['--import', 'tsx', 'test/bench/main.ts'];

/** A program that runs in this checkout, and what it has written so far. */
function start(file: string, args: readonly string[]) {
  // tsx keeps what it compiled in there.
  const env = { ...process.env, TMPDIR: tempDir() };
  const child = spawn(file, args, { cwd: ROOT, env, stdio: 'pipe' });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (chunk: Buffer) => (output[name] += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { child, output, ended };
}

async function bench(...args: string[]) {
  const { output, ended } = start('npm', ['run', '--silent', 'bench', '--', ...args]);
  return { code: await ended, ...output };
}

test('a run prints a table, writes the same as JSON, and leaves nothing in its directory', async () => {
  const dir = tempDir();
  const file = join(tempDir(), 'report.json');
  const { code, stdout, stderr } = await bench(
    ...['--quick', '--only', 'cli', '--rounds', '1'],
    ...['--dir', dir, '--json', file],
  );
  expect(code, stderr).toBe(0);
  expect(readdirSync(dir)).toEqual([]);

  const report = JSON.parse(readFileSync(file, 'utf8')) as Report;
  expect(report).toMatchObject({ quick: true, rounds: 1, machine: { node: process.version } });
  expect(report.benches.map(({ name }) => name)).toEqual(['cli']);
  const [first] = report.benches[0]!.figures;
  expect(first).toMatchObject({
    figure: { name: 'execgo status', unit: 'ms', reference: { name: 'node -e 0' }, budget: { at_most: 1.6 } },
  });
  expect(first!.figure.rounds).toHaveLength(first!.figure.reference!.rounds.length);
  expect(first!.ratio).toBeGreaterThan(0);

  expect(stdout).toMatch(/^\| figure +\| median +\| spread +\| reference +\| ratio +\| budget +\|/m);
  expect(stdout).toMatch(/^\| execgo status +\| [\d.]+ ms +\| .*node -e 0: [\d.]+ ms.* ≤ 1.6 × /m);
  expect(stdout).toMatch(/^(No budget was missed|MISSED 1 of 1 budgets: execgo status)/m);
});

test('a directory that is not there is refused', async () => {
  const { code, stderr } = await bench('--only', 'cli', '--dir', '/no/such/directory');
  expect(stderr).toMatch(/^bench: --dir: there is no directory \/no\/such\/directory; make it first$/m);
  expect(code).toBe(2);
});

test('a bench that there is none of is refused with the names of those that there are', async () => {
  const { code, stderr } = await bench('--only', 'speed');
  expect(stderr).toMatch(/^bench: there is no bench "speed"; there are cli, /m);
  expect(code).toBe(2);
});

test('a run that is interrupted ends what it has started and leaves nothing in its directory', async () => {
  const dir = tempDir();
  const args = [...MAIN, '--quick', '--only', 'load-latency', '--dir', dir];
  const { child, output, ended } = start(process.execPath, args);
  await waitFor(() => output.stderr.includes('round 1'), { what: 'the first round' });
  child.kill('SIGTERM');
  child.kill('SIGINT');
  expect(await ended).toBe(1);
  expect(output.stderr).toMatch(/^bench: interrupted by SIG(TERM|INT)$/m);
  expect(output.stdout).toBe('');
  expect(readdirSync(dir)).toEqual([]);
});
