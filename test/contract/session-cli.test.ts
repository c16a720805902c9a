import { join } from 'node:path';
import { expect, test } from 'vitest';
import { execgo, http, inTerminal, startDaemon, waitForEnd } from '../harness/index.js';

test('a session is made, used, changed, shown and deleted at the command line', async () => {
  const daemon = await startDaemon();
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await execgo(args, { daemon });
    return { code, stdout, stderr };
  };
  const made = await run(
    'session',
    'create',
    's',
    '--title',
    'Work',
    '-m',
    'a=b',
    '--ttl',
    '1h',
    '--tenant',
    't',
  );
  expect(made).toEqual({ code: 0, stdout: 's\n', stderr: '' });
  const inIt = ['--session', 's', '--tenant', 't'];
  const workspace = join(daemon.dataDir, 'sessions', 's', 'workspace');
  expect(await run('run', ...inIt, '--', 'sh', '-c', 'pwd; echo left >note')).toMatchObject({
    code: 0,
    stdout: `${workspace}\n`,
  });
  expect(await run('run', ...inIt, '--', 'cat', 'note')).toMatchObject({ code: 0, stdout: 'left\n' });
  expect(await run('run', ...inIt, '-C', '/', '--', 'pwd')).toMatchObject({ code: 0, stdout: '/\n' });
  const set = await run(
    'session',
    'set',
    's',
    '--concurrency',
    '2',
    '--no-expiry',
    '--if-version',
    '1',
    '-m',
    'c=d',
  );
  expect(JSON.parse(set.stdout)).toMatchObject({ concurrency: 2, version: 2, metadata: { a: 'b', c: 'd' } });
  expect(JSON.parse(set.stdout)).not.toHaveProperty('expires_at');
  const listed = JSON.parse((await run('session', 'list', '--tenant', 't')).stdout);
  expect(listed.sessions).toMatchObject([{ session_id: 's', state: 'idle', counts: { success: 3 } }]);
  const busy = await run('submit', ...inIt, '--', 'sleep', '600');
  expect(await run('session', 'rm', 's')).toEqual({
    code: 1,
    stdout: '',
    stderr:
      'execgo: session s is busy: 1 task has not ended; wait for that, or delete it with force, which ends them\n',
  });
  expect(await run('session', 'rm', 's', '--force')).toEqual({ code: 0, stdout: '', stderr: '' });
  expect((await waitForEnd(daemon, busy.stdout.trim())).status).toBe('cancelled');
});

test('people see a table and a card, and why a task waits', async () => {
  const daemon = await startDaemon();
  await execgo(['session', 'create', 's', '--title', 'Work'], { daemon });
  await execgo(['submit', '--session', 's', '--id', 'first', '--', 'sleep', '600'], { daemon });
  await execgo(['submit', '--session', 's', '--id', 'second', '--', 'true'], { daemon });
  const shown = async (...args: string[]) => {
    const terminal = inTerminal(args, { daemon });
    expect(await terminal.ended).toBe(0);
    return terminal.shown();
  };
  expect(await shown('session', 'list')).toMatch(
    /SESSION +STATE +RUNNING +WAITING +ENDED +ACTIVITY +TITLE\r?\n.*s.*running.*1 +1 +0 .*Work/,
  );
  expect(await shown('session', 'show', 's')).toMatch(
    /s.*: .*running.*, 1 running, 1 waiting[^]*title.* Work[^]*active.* first[^]*last.* second/,
  );
  expect(await shown('explain', 'second')).toContain(
    'session "s" runs one task at a time: "first" has its turn, and it is next',
  );
  expect(await shown('session', 'set', 's', '--end')).toMatch(/s.*: .*ended.*, 1 running, 1 waiting/);
  await execgo(['session', 'rm', '-f', 's'], { daemon });
});

test('mistakes are told in the words of the command line', async () => {
  const daemon = await startDaemon();
  await execgo(['session', 'create', 'there', '--owner', 'ann'], { daemon });
  const cases: [args: string[], code: number, said: string][] = [
    [['session'], 2, 'execgo session what?'],
    [['session', 'make'], 2, 'unknown command "session make"'],
    [['session', 'show'], 2, "missing required argument 'session'"],
    [['session', 'show', 'no'], 1, 'session not found: no (execgo session list'],
    [['session', 'show', 'there', '--tenant', 'other'], 1, 'session not found: there'],
    [['session', 'create', 'there'], 1, 'session already exists: there (use another id'],
    [['session', 'create', 'a b'], 1, 'invalid input: the id: must be 1 to 128 letters'],
    [['session', 'create', '--ttl', '8'], 2, 'is not a duration'],
    [['session', 'create', '--ttl', '0'], 1, 'invalid input: --ttl: must be greater than 0'],
    [
      ['session', 'create', '--ttl', '1h', '--expires-at', '2999-01-01T00:00:00Z'],
      1,
      '--expires-at: cannot be given together with',
    ],
    [['session', 'create', '--concurrency', '0'], 1, 'invalid input: --concurrency: must be greater than 0'],
    [['session', 'create', '-m', 'x'], 2, 'is not KEY=VALUE'],
    [['session', 'list', '--state', 'busy'], 1, 'invalid input: --state: must be given once, as idle'],
    [['session', 'list', '-n', '0'], 2, '-n must be from 1 to 200'],
    [['session', 'set', 'there'], 2, 'nothing to change'],
    [['session', 'set', 'there', '--ttl', '1h', '--no-expiry'], 2, 'give --no-expiry, or --ttl'],
    [['session', 'set', 'there', '--end'], 1, "give the session's owner with --owner"],
    [['session', 'rm', 'there'], 1, "give the session's owner with --owner"],
    [['session', 'rm', 'no', 'neither'], 1, 'session not found: neither'],
    [['run', '--session', 'no', '--', 'true'], 1, 'session not found: no (execgo session list'],
  ];
  for (const [args, code, said] of cases) {
    const result = await execgo(args, { daemon });
    expect([result.code, result.stdout], args.join(' ')).toEqual([code, '']);
    expect(result.stderr, args.join(' ')).toContain(said);
  }
  expect((await http(daemon.url).get('/api/v1/sessions/there')).body.state).toBe('idle');
});
