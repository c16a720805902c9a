import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ExecgoTask } from '../../src/client/index.js';
import { tempDir } from '../harness/index.js';

/** Answers everything with `{}`, and lets few connections wait until it accepts them. */
const SERVER = `const server = require('node:http').createServer((_, res) => {
  res.setHeader('content-type', 'application/json');
  res.end('{}');
});
server.listen({ path: process.argv[1], backlog: 1 }, () => console.log('listening'));`;

test('a Unix socket with no room for another connection has some in a moment: nothing was sent until then', async () => {
  const socket = join(tempDir(), 's');
  const child = spawn(process.execPath, ['-e', SERVER, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  const open: Socket[] = [];
  onTestFinished(() => {
    for (const each of open) each.destroy();
    child.kill('SIGKILL');
  });
  await once(child.stdout, 'data');
  child.kill('SIGSTOP');
  for (let full = false; !full;) {
    const each = connect(socket);
    open.push(each);
    full = await new Promise((resolve) => {
      each.once('connect', () => resolve(false));
      each.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EAGAIN'));
    });
  }
  const task = new ExecgoTask({ socket, token: 'x' });
  const impatient = new ExecgoTask({ socket, token: 'x', reconnectMs: 0 });
  onTestFinished(() => {
    task.close();
    impatient.close();
  });
  for (const ask of [() => impatient.commands(), () => impatient.event('a')])
    await expect(ask()).rejects.toMatchObject({
      code: 'EAGAIN',
      message: expect.stringContaining('too many connections wait to be accepted'),
    });
  const said = [task.commands(), task.progress({ percent: 1 }), task.event('a'), task.acknowledge(1)];
  child.kill('SIGCONT');
  expect(await Promise.all(said)).toEqual([{}, {}, {}, {}]);
});
