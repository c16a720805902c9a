import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { EXECUTABLE, tempDir, waitFor } from '../harness/index.js';

/** What a daemon that is started in `cwd` has logged once it serves. */
async function logOf(cwd: string, dataDir: string): Promise<string> {
  const args = ['serve', '--listen-addr', '127.0.0.1:0', '--disable-cgroup', '--data-dir', dataDir];
  const child = spawn(process.execPath, [EXECUTABLE, ...args], { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  const stop = async () => {
    child.kill('SIGTERM');
    await waitFor(() => child.exitCode !== null, { what: 'the end of the daemon' });
  };
  onTestFinished(stop);
  let log = '';
  child.stdout.on('data', (text: Buffer) => (log += text.toString()));
  await waitFor(() => log.includes('"listening"'), { what: 'the ready line' });
  await stop();
  return log;
}

test('a new daemon beside the data of the older runtime says how to take it over', async () => {
  const cwd = tempDir();
  mkdirSync(join(cwd, 'data'));
  writeFileSync(join(cwd, 'data', 'runtime.db'), '');
  expect(await logOf(cwd, join(cwd, 'new'))).toContain(`start with --data-dir ${join(cwd, 'data')}`);
  // It has a database of its own by now.
  expect(await logOf(cwd, join(cwd, 'new'))).not.toContain('older runtime');
});

test('who takes it over, or has none, is told nothing', async () => {
  const cwd = tempDir();
  expect(await logOf(cwd, join(cwd, 'data'))).not.toContain('older runtime');
  expect(await logOf(cwd, join(cwd, 'other', '..', 'data'))).not.toContain('older runtime');
});

test('the units that are shipped run as a user of their own, behind a socket for its group', () => {
  const unit = (name: string) =>
    readFileSync(join(import.meta.dirname, '../../docs', name), 'utf8').split('\n');
  expect(unit('execgo.service')).toEqual(
    expect.arrayContaining(['User=execgo', 'NoNewPrivileges=yes', 'KillMode=process', 'Delegate=yes']),
  );
  expect(unit('execgo.socket')).toEqual(
    expect.arrayContaining(['ListenStream=/run/execgo/execgo.sock', 'SocketMode=0660', 'SocketGroup=execgo']),
  );
});
