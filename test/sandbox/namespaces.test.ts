import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  bubblewrapWrappers,
  DEFAULT_NAMESPACES,
  NO_NAMESPACES,
  PID_NAMESPACE_PROCESSES,
  unshareWrappers,
} from '../../src/sandbox/namespaces/namespaces.js';
import { cgroupSpec } from '../../src/sandbox/cgroup/cgroup-layout.js';
import { createCgroup, killCgroup, removeCgroup } from '../../src/sandbox/cgroup/cgroup.js';
import { descendantsOf, findByToken } from '../../src/sandbox/process/process-identity.js';
import { findTool } from '../../src/sandbox/process/tools.js';
import { findUser, setprivArguments } from '../../src/sandbox/process/user.js';
import type { Namespaces } from '../../src/task/plan.js';
import { waitFor, waitGone } from '../harness/wait.js';
import { probeHost } from './hosts.js';
import { runChain, startChain } from './run-chain.js';

const KIND_FILES = { mount: 'mnt', pid: 'pid', uts: 'uts', ipc: 'ipc', net: 'net' } as const;
const ALL: Namespaces = { mount: true, pid: true, uts: true, ipc: true, net: true };

function only(kind: keyof Namespaces): Namespaces {
  return { ...NO_NAMESPACES, [kind]: true };
}

const sh = (script: string, namespaces: Namespaces) =>
  runChain(['/bin/sh', '-c', script], { chain: { wrappers: unshareWrappers(namespaces) } });

/** Starts a program in a pid namespace whose processes carry `token`. */
function startInside(script: string, token: string) {
  return startChain(['/bin/sh', '-c', script], {
    chain: { wrappers: unshareWrappers(DEFAULT_NAMESPACES, { passesKill: true }) },
    env: { PATH: process.env['PATH'] ?? '', EXECGO_LAUNCH: token },
  });
}

test('without namespaces there is nothing to wrap', () => {
  expect(unshareWrappers(NO_NAMESPACES)).toEqual([]);
});

test.each(Object.entries(KIND_FILES) as [keyof Namespaces, string][])(
  '%s is really another one inside',
  async (kind, file) => {
    const { stdout, report } = await sh(`readlink /proc/self/ns/${file}`, only(kind));
    expect(report).toEqual({ ran: true });
    expect(stdout).toMatch(new RegExp(`^${file}:\\[\\d+\\]\n$`));
    expect(stdout.trim()).not.toBe(readlinkSync(`/proc/self/ns/${file}`));
  },
);

test('the host’s name is out of reach', async () => {
  const before = hostname();
  expect((await sh('hostname inside && hostname', only('uts'))).stdout).toBe('inside\n');
  expect(hostname()).toBe(before);
});

test('the network has nothing but lo', async () => {
  const { stdout } = await sh('grep -o "^ *[a-z0-9]*:" /proc/net/dev', only('net'));
  expect(stdout.trim()).toBe('lo:');
});

test('mounts stay inside', async () => {
  const { code } = await sh(
    'mount -t tmpfs execgo-inside /mnt && grep -q execgo-inside /proc/self/mounts',
    only('mount'),
  );
  expect(code).toBe(0);
  expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain('execgo-inside');
});

describe('in a pid namespace', () => {
  test('/proc shows the few processes of the namespace', async () => {
    const { stdout, report } = await sh(
      'ls /proc | grep -c "^[0-9]"; cat /proc/1/cmdline | tr "\\0" " "',
      ALL,
    );
    expect(report).toEqual({ ran: true });
    const [count, init] = stdout.split('\n');
    expect(Number(count)).toBeLessThan(10);
    expect(init).toContain('/bin/sh');
  });

  test('descriptor 3 is closed while the program runs, and the exit code arrives', async () => {
    const chain = startInside('sleep 1000 3>&1 & wait $!; exit 7', 'ns-report');
    expect(await chain.reported).toBe('ok\n');
    const [inside] = await waitFor(() => {
      const found = findByToken('ns-report').filter(
        (pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8') === 'sleep\x001000\x00',
      );
      return found.length === 1 && found;
    });
    process.kill(inside ?? 0, 'SIGTERM');
    expect(await chain.ended).toMatchObject({ code: 7, report: { ran: true } });
  });

  test('with a socket at 3 everything works, but for the early end of file', async () => {
    for (const passesKill of [true, false]) {
      const wrappers = unshareWrappers(DEFAULT_NAMESPACES, { passesKill });
      const run = await runChain(['/bin/sh', '-c', 'exit 7'], { chain: { wrappers }, socket: true });
      expect(run).toMatchObject({ code: 7, report: { ran: true } });
    }
  });

  test('what an unshare that cannot pass on SIGKILL says is kept from the program’s stderr', async () => {
    const script = 'for n in 3 4; do [ ! -e /proc/$$/fd/$n ] || echo $n; done; echo err >&2; kill -KILL $$';
    const { code, signal, report, stdout, stderr } = await sh(script, DEFAULT_NAMESPACES);
    expect([null, 1]).toContain(code);
    expect([null, 'SIGKILL']).toContain(signal);
    expect([report, stdout, stderr]).toEqual([{ ran: true }, '', 'err\n']);
  });

  test.each(['TERM', 'SEGV', 'XCPU', 'INT'])('an end by SIG%s arrives as it is', async (name) => {
    const run = await sh(`kill -${name} $$; exit 9`, DEFAULT_NAMESPACES);
    expect(run).toMatchObject({ signal: `SIG${name}`, report: { ran: true } });
  });

  test('exit codes above 128 are no signals', async () => {
    expect(await sh('exit 143', DEFAULT_NAMESPACES)).toMatchObject({ code: 143, signal: null });
  });

  test.each(['/no/such/program', '/etc'])('%s cannot be launched', async (program) => {
    const run = await runChain([program], { chain: { wrappers: unshareWrappers(DEFAULT_NAMESPACES) } });
    expect(run.report).toMatchObject({ ran: false, stage: 'launch' });
  });

  test('TERM to the group reaches a program that handles it, and one that does not', async () => {
    const handles = startInside(
      'trap "echo bye; exit 3" TERM; echo up; while :; do sleep 1000 & wait; done',
      'ns-term-1',
    );
    await waitFor(() => handles.stdout() === 'up\n');
    process.kill(-handles.pid, 'SIGTERM');
    expect(await handles.ended).toMatchObject({ code: 3, stdout: 'up\nbye\n' });
    const simple = startInside('echo up; exec sleep 1000', 'ns-term-2');
    await waitFor(() => simple.stdout() === 'up\n');
    process.kill(-simple.pid, 'SIGTERM');
    expect((await simple.ended).signal).toBe('SIGTERM');
  });

  test('TERM to the group leaves a program that ignores it running', async () => {
    const chain = startInside('trap "" TERM; echo up; sleep 1000; echo on', 'ns-ignore');
    await waitFor(() => chain.stdout() === 'up\n');
    process.kill(-chain.pid, 'SIGTERM');
    const sleeping = await waitFor(() => {
      const found = findByToken('ns-ignore').filter(
        (pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8') === 'sleep\x001000\x00',
      );
      return found.length === 1 && found[0];
    });
    process.kill(sleeping, 'SIGKILL');
    expect(await chain.ended).toMatchObject({ code: 0, stdout: 'up\non\n' });
  });

  test('KILL to the group ends everything, whatever left the group included', async () => {
    const chain = startInside('setsid setsid sleep 1000 & echo up; sleep 1000', 'ns-kill');
    await waitFor(() => chain.stdout() === 'up\n');
    const all = descendantsOf(chain.pid);
    process.kill(-chain.pid, 'SIGKILL');
    expect((await chain.ended).signal).toBe('SIGKILL');
    await Promise.all(all.map((pid) => waitGone(pid)));
    await waitFor(() => findByToken('ns-kill').length === 0);
  });

  test('orphans are reaped', async () => {
    const script =
      'for i in 1 2 3; do (sleep 0 & ) ; done; until ! grep -qs ") Z 1 " /proc/[0-9]*/stat; do sleep 0.05; done; echo none';
    expect((await sh(script, DEFAULT_NAMESPACES)).stdout).toBe('none\n');
  });

  test('the helpers of the namespace are as many as the pids limit allows for', async () => {
    const { layout } = await probeHost();
    const spec = cgroupSpec(layout, 'helpers', { pids_max: 2 + PID_NAMESPACE_PROCESSES });
    if (spec === undefined) throw new Error('this test needs writable cgroups');
    onTestFinished(async () => {
      killCgroup(spec);
      await waitFor(() => removeCgroup(spec));
    });
    createCgroup(spec);
    const wrappers = unshareWrappers(DEFAULT_NAMESPACES);
    const enough = await runChain(['/bin/sh', '-c', 'sleep 0 & wait; echo two'], {
      chain: { wrappers },
      cgroup: spec,
    });
    expect(enough).toMatchObject({ code: 0, stdout: 'two\n', stderr: '' });
    await waitFor(() => removeCgroup(spec));
    createCgroup(spec);
    const bomb = await runChain(['/bin/sh', '-c', 'sleep 1000 & sleep 1000 & echo three'], {
      chain: { wrappers },
      cgroup: spec,
    });
    expect(bomb.stderr).toMatch(/fork/);
    await waitFor(() => removeCgroup(spec));
  });
});

describe('without root, through bubblewrap', () => {
  const nobody = findUser('65534');
  const asNobody = [findTool('setpriv') ?? '', ...(nobody === undefined ? [] : setprivArguments(nobody))];

  test('namespaces are entered and the exit code arrives', async () => {
    const wrappers = [asNobody, ...bubblewrapWrappers(ALL)];
    const script = 'readlink /proc/self/ns/net; ls /proc | grep -c "^[0-9]"; exit 5';
    const chain = startChain(['/bin/sh', '-c', script], { chain: { wrappers }, cwd: '/' });
    expect(await chain.reported).toBe('ok\n');
    const run = await chain.ended;
    expect(run).toMatchObject({ code: 5, stderr: '', report: { ran: true } });
    const [net, count] = run.stdout.split('\n');
    expect(net).not.toBe(readlinkSync('/proc/self/ns/net'));
    expect(Number(count)).toBeLessThan(10);
  });

  test('a program that is not there cannot be launched', async () => {
    const wrappers = [asNobody, ...bubblewrapWrappers(DEFAULT_NAMESPACES)];
    const { report } = await runChain(['/no/such/program'], { chain: { wrappers }, cwd: '/' });
    expect(report).toMatchObject({ ran: false, stage: 'launch' });
  });

  test('namespaces that root alone may enter are told', async () => {
    const wrappers = [asNobody, ...unshareWrappers(only('net'))];
    const { report } = await runChain(['true'], { chain: { wrappers }, cwd: '/' });
    expect(report).toMatchObject({
      ran: false,
      stage: 'sandbox',
      message: expect.stringMatching(/not permitted/i),
    });
  });
});
