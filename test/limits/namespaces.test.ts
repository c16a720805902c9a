import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { command, http, script, startDaemon, submitAndWait } from '../harness/index.js';
import { kill, submitAndSee } from './support.js';

const KINDS = { mount: 'mnt', pid: 'pid', uts: 'uts', ipc: 'ipc', net: 'net' } as const;
type Kind = keyof typeof KINDS;
const NONE = { mount: false, pid: false, uts: false, ipc: false, net: false };

const LOOK = `for n in mnt pid uts ipc net; do echo "$n $(readlink /proc/self/ns/$n)"; done`;
const host = (kind: Kind) => readlinkSync(`/proc/self/ns/${KINDS[kind]}`);
const linux = (more: object = {}) => ({ sandbox: { profile: 'linux_sandbox', ...more } });

test('each namespace that is asked for is another one, and no other is', async () => {
  const daemon = await startDaemon();
  const cases: [object | undefined, Kind[]][] = [
    [undefined, ['mount', 'pid', 'uts', 'ipc']],
    [{ ...NONE, mount: true, pid: true, uts: true, ipc: true, net: true }, Object.keys(KINDS) as Kind[]],
    [NONE, []],
    // A pid namespace needs a /proc of its own, and so mounts of its own.
    [{ ...NONE, pid: true }, ['mount', 'pid']],
    ...(['mount', 'uts', 'ipc', 'net'] as const).map((kind): [object, Kind[]] => [
      { ...NONE, [kind]: true },
      [kind],
    ]),
  ];
  for (const [namespaces, own] of cases) {
    const end = await submitAndWait(
      daemon,
      script(LOOK, {
        ...linux(namespaces === undefined ? {} : { namespaces }),
        policy: { capability_mode: 'strict' },
      }),
    );
    expect(end.status, end.stderr).toBe('success');
    const inside = Object.fromEntries(
      end.stdout
        .trim()
        .split('\n')
        .map((line) => line.split(' ')),
    );
    for (const kind of Object.keys(KINDS) as Kind[])
      expect(inside[KINDS[kind]] !== host(kind), `${kind} of ${JSON.stringify(namespaces)}`).toBe(
        own.includes(kind),
      );
    expect(end.execution_plan?.effective_sandbox.namespaces).toEqual({
      ...NONE,
      ...Object.fromEntries(own.map((kind) => [kind, true])),
    });
  }
});

test('inside: a real init, few processes, a name and mounts of one’s own, loopback only', async () => {
  const daemon = await startDaemon();
  const end = await submitAndWait(
    daemon,
    script(
      `echo "first $(tr '\\0' ' ' </proc/1/comm)"
      echo "count $(ls /proc | grep -c '^[0-9]')"
      (sleep 0 & ); until ! grep -qs ') Z 1 ' /proc/[0-9]*/stat; do sleep 0.05; done; echo reaped yes
      hostname execgo-inside; echo "name $(hostname)"
      mount -t tmpfs execgo-inside /mnt && echo mounted yes
      echo "interfaces $(grep -o '^ *[a-z0-9]*:' /proc/net/dev | tr -d ' \\n')"`,
      linux({ namespaces: { ...NONE, mount: true, pid: true, uts: true, ipc: true, net: true } }),
    ),
  );
  const seen = Object.fromEntries(
    end.stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/ (.*)/, 2)),
  );
  expect(seen).toMatchObject({
    first: 'sh',
    reaped: 'yes',
    name: 'execgo-inside',
    mounted: 'yes',
    interfaces: 'lo:',
  });
  expect(Number(seen['count'])).toBeLessThan(12);
  expect(hostname()).not.toBe('execgo-inside');
  expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain('execgo-inside');
});

test('what cannot be launched inside is told from what cannot be set up', async () => {
  const daemon = await startDaemon();
  for (const program of ['no-such-program', '/etc/passwd', '/no/such/ü'])
    expect(await submitAndWait(daemon, command(program, [], linux()))).toMatchObject({
      status: 'failed',
      cause: 'launch',
      duration_ms: 0,
      error: { code: 'launch_failed', message: expect.stringContaining(program) },
    });
  const nowhere = linux({ chroot: true, rootfs: '/no/such/root-ü' });
  const refused = await http(daemon.url).post('/api/v1/tasks', command('/bin/true', [], nowhere));
  expect([refused.status, refused.body.error.code]).toEqual([403, 'permission_denied']);
  expect(refused.body.error.message).toContain('--allow-rootfs');
  await daemon.restart({ flags: ['--allow-rootfs', '/no/such'] });
  expect(await submitAndWait(daemon, command('/bin/true', [], nowhere))).toMatchObject({
    status: 'failed',
    cause: 'sandbox',
    error: {
      code: 'sandbox_setup_failed',
      message: expect.stringContaining('rootfs /no/such/root-ü is not a directory'),
    },
  });
});

test.each(['libc', 'execa'])(
  'any first signal reaches a program in a pid namespace: %s',
  async (launcher) => {
    const daemon = await startDaemon({ flags: ['--launcher', launcher] });
    const signals = Object.entries({ HUP: 1, QUIT: 3, USR1: 10, TERM: 15 });
    const ends = signals.map(async ([name, number]) => {
      const trap = `trap 'echo got it; exit 5' ${name}; echo up; while :; do sleep 0.05; done`;
      return kill(daemon, await submitAndSee(daemon, script(trap, linux()), 'up'), `signal=${number}`);
    });
    for (const end of await Promise.all(ends))
      expect(end).toMatchObject({ status: 'cancelled', exit_code: 5, stdout: 'up\ngot it\n' });
  },
);

test('a program whose name begins with a dash is a program', async () => {
  const daemon = await startDaemon();
  const bin = join(daemon.dataDir, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, '-n'), '#!/bin/sh\necho dash "$@"\n', { mode: 0o755 });
  for (const more of [{}, { limits: { pids_max: 20 } }, linux()]) {
    const { execution } = command('-n', ['-c', 'x']) as { execution: object };
    const end = await submitAndWait(daemon, {
      execution: { ...execution, env: { PATH: `${bin}:/bin:/usr/bin` } },
      ...more,
    });
    expect(end.stdout, JSON.stringify(more)).toBe('dash -c x\n');
  }
});

test('without a sandbox: adaptive runs and says so, strict refuses and leaves nothing', async () => {
  const daemon = await startDaemon({ flags: ['--disable-linux-sandbox'] });
  const api = http(daemon.url);
  const end = await submitAndWait(daemon, script(LOOK, linux()));
  expect(end).toMatchObject({ status: 'success', execution_plan: { degraded: true } });
  expect(end.stdout).toContain(`pid ${host('pid')}`);
  for (const strictly of [
    { policy: { capability_mode: 'strict' } },
    { control_context: { requires_strict_sandbox: true } },
  ]) {
    const request = { task_id: 'strict', ...script(LOOK, { ...linux(), ...strictly }) };
    const refused = await api.post('/api/v1/tasks', request);
    expect(refused.body.error).toMatchObject({
      code: 'unsupported_capability',
      message: expect.stringContaining('--disable-linux-sandbox'),
    });
    const dry = await api.post('/api/v1/tasks?dry_run=true', request);
    expect(dry.body.error.code).toBe('unsupported_capability');
    expect((await api.get('/api/v1/tasks/strict')).status).toBe(404);
  }
});
