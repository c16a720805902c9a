import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import {
  carriesToken,
  childrenOf,
  descendantsOf,
  findByToken,
  childState,
  isSameProcess,
  parseStartTicks,
  readBootId,
  startTicks,
} from '../../src/sandbox/process/process-identity.js';
import { waitFor, waitGone } from '../harness/wait.js';

const NO_PID = 2 ** 30;

function start(script: string, env: Record<string, string> = {}) {
  const child = spawn('/bin/sh', ['-c', script], {
    detached: true,
    stdio: 'ignore',
    env: { PATH: process.env['PATH'], ...env },
  });
  const pid = child.pid ?? 0;
  const end = async () => {
    const exited = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // Ended by itself.
    }
    await exited;
  };
  onTestFinished(end);
  return { pid, end };
}

test('the boot id is the kernel’s', () => {
  expect(readBootId()).toBe(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
});

test('the start time is found behind any command name', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('(', ')', ' ', '\n', 'a', '0', '1', 'é'), maxLength: 15 }),
      fc.maxSafeNat(),
      fc.array(fc.maxSafeNat(), { minLength: 48, maxLength: 48 }),
      (comm, ticks, fields) => {
        fields[18] = ticks;
        expect(parseStartTicks(`42 (${comm}) S ${fields.join(' ')}\n`)).toBe(ticks);
      },
    ),
  );
});

test.each(['', '42', '42 (sh)', '42 (sh) S 1 2', '42 (sh) S ' + 'x '.repeat(40)])(
  '%j has no start time',
  (stat) => {
    expect(parseStartTicks(stat)).toBeUndefined();
  },
);

test('a process is itself while it lives, and nobody afterwards', async () => {
  const boot_id = readBootId();
  const { pid, end } = start('exec sleep 1000');
  const ticks = startTicks(pid);
  expect(ticks).toBeGreaterThan(0);
  const identity = { boot_id, pid, start_ticks: ticks ?? 0 };
  expect(isSameProcess(identity, boot_id)).toBe(true);
  expect(isSameProcess(identity, 'another boot')).toBe(false);
  expect(isSameProcess({ ...identity, start_ticks: identity.start_ticks + 1 }, boot_id)).toBe(false);
  await end();
  expect(startTicks(pid)).toBeUndefined();
  expect(isSameProcess(identity, boot_id)).toBe(false);
});

test('children and descendants of a tree are found', async () => {
  const { pid } = start('sleep 1000 & sh -c "sleep 1000 & sleep 1000" & wait');
  await waitFor(() => descendantsOf(pid).length === 4);
  const children = childrenOf(pid);
  expect(children).toHaveLength(2);
  const below = descendantsOf(pid);
  expect(below).toEqual(expect.arrayContaining(children));
  expect(below).not.toContain(pid);
  expect(descendantsOf(process.pid)).toContain(pid);
});

test('who is gone has no children, no descendants and no token', () => {
  expect([childrenOf(NO_PID), descendantsOf(NO_PID)]).toEqual([[], []]);
  expect(carriesToken(NO_PID, 'x')).toBe(false);
  expect(startTicks(NO_PID)).toBeUndefined();
});

test('a token finds exactly its processes, even those that left their group', async () => {
  const token = `t-${process.pid}-${Date.now()}`;
  const { pid } = start('setsid sh -c "exec sleep 1000" & sleep 1000 & exec sleep 1000', {
    EXECGO_LAUNCH: token,
  });
  const { pid: other } = start('exec sleep 1000', {
    EXECGO_LAUNCH: `${token}x`,
    NOTE: `EXECGO_LAUNCH=${token}`,
  });
  await waitFor(() => findByToken(token).length === 3);
  expect(carriesToken(pid, token)).toBe(true);
  expect(carriesToken(other, token)).toBe(false);
  const found = findByToken(token);
  for (const escaped of found) process.kill(escaped, 'SIGKILL');
  await Promise.all(found.map((escaped) => waitGone(escaped)));
});

test('a process whose first thread has ended runs, and is found by its token', async () => {
  const token = `token-${process.pid}-threads`;
  const text = `import ctypes, threading, time
threading.Thread(target=lambda: time.sleep(1000)).start()
ctypes.CDLL(None).syscall(${process.arch === 'x64' ? 60 : 93}, 0)`;
  const { pid } = start(`exec python3 -c '${text}'`, { EXECGO_LAUNCH: token });
  const state = () => readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '')[0];
  await waitFor(() => state() === 'Z', { what: 'the end of its first thread' });
  expect(childState(pid)?.hasEnded).toBe(false);
  expect(findByToken(token)).toEqual([pid]);
});
