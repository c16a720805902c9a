import { expect, test } from 'vitest';
import { http, script, startDaemon, submitAndWait } from '../harness/index.js';
import { kill, submitAndSee } from './support.js';

const startAsNobody = () => startDaemon({ uid: 65_534 });

const LOOK = 'id -u; readlink /proc/self/ns/pid /proc/self/ns/net; ls /proc | grep -c "^[0-9]"';

test('a daemon that is not root uses bubblewrap, and says so', async () => {
  const daemon = await startAsNobody();
  const { body } = await http(daemon.url).get('/api/v1/runtime/capabilities');
  expect(body.sandbox).toMatchObject({
    linux_sandbox: true,
    bubblewrap: true,
    chroot: false,
    switch_user: false,
    namespaces: { mount: true, pid: true, uts: true, ipc: true, net: true },
  });
  expect(body.reasons).toMatchObject({ chroot: 'needs root', switch_user: 'needs root' });
  const sandbox = {
    profile: 'linux_sandbox',
    namespaces: { mount: true, pid: true, uts: true, ipc: true, net: true },
  };
  const end = await submitAndWait(daemon, script(`${LOOK}; exit 6`, { sandbox }));
  expect(end).toMatchObject({
    cause: 'exit',
    exit_code: 6,
    execution_plan: { effective_sandbox: { mechanism: 'bubblewrap', profile: 'linux_sandbox' } },
  });
  const [uid, pid, net, count] = end.stdout.split('\n');
  expect(uid).toBe('65534');
  const outside = await submitAndWait(daemon, script(LOOK));
  expect(outside.stdout.split('\n').slice(0, 3)).not.toContain(pid);
  expect(outside.stdout.split('\n').slice(0, 3)).not.toContain(net);
  expect(Number(count)).toBeLessThan(10);
});

test('what needs root is refused or said, and a kill is as gentle as ever', async () => {
  const daemon = await startAsNobody();
  const api = http(daemon.url);
  const chroot = { sandbox: { profile: 'linux_sandbox', chroot: true, rootfs: '/' } };
  const strict = await api.post(
    '/api/v1/tasks',
    script('true', { ...chroot, policy: { capability_mode: 'strict' } }),
  );
  expect(strict.body.error).toMatchObject({ code: 'unsupported_capability' });
  const end = await submitAndWait(daemon, script('echo ran', chroot));
  expect(end).toMatchObject({
    stdout: 'ran\n',
    execution_plan: { degraded: true, effective_sandbox: { chroot: false, mechanism: 'bubblewrap' } },
  });
  for (const name of ['TERM', 'HUP'] as const) {
    const trap = `trap 'echo bye; exit 5' ${name}; echo up; while :; do sleep 0.05; done`;
    const id = await submitAndSee(daemon, script(trap, { sandbox: { profile: 'linux_sandbox' } }), 'up');
    const killed = await kill(daemon, id, `signal=${{ TERM: 15, HUP: 1 }[name]}`);
    expect(killed).toMatchObject({ status: 'cancelled', exit_code: 5, stdout: 'up\nbye\n' });
  }
});
