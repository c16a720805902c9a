import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  chunk,
  eventView,
  FakeServer,
  json,
  outputRange,
  refuse,
  sendEvent,
  beginEvents,
  taskSummary,
  taskView,
  type Handler,
} from '../client/fake-server.js';
import { examples } from '../../src/task/examples.js';
import { Execgo, execgo } from './execgo.js';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(handler: Handler): Promise<FakeServer> {
  const server = await new FakeServer(handler).start();
  cleanups.push(() => server.stop());
  return server;
}

/** Accepts every task; output and everything else come from `rest`. */
function daemon(rest: Handler): Promise<FakeServer> {
  return serve((seen, res, nth) => {
    if (seen.method === 'POST' && seen.url === '/api/v1/tasks') {
      const { task_id: id = 't1' } = JSON.parse(seen.body) as { task_id?: string };
      json(res, { task_id: id, handle_id: id, status: 'accepted' });
    } else return rest(seen, res, nth);
  });
}

const bodyOf = (server: FakeServer): unknown => JSON.parse(server.seen[0]?.body ?? 'null');

describe('edit', () => {
  const edited = async (args: string[]) => {
    const server = await serve((_seen, res) => {
      json(res, taskView({ status: 'accepted', version: 9 }));
    });
    const { code, stdout } = await execgo(['edit', 't 1', ...args], { server: server.url });
    const { method, url, headers } = server.seen[0]!;
    return {
      code,
      printed: JSON.parse(stdout.toString()) as object,
      method,
      url,
      headers,
      body: bodyOf(server),
    };
  };

  it('sends what the flags name, and nothing else', async () => {
    const { code, printed, ...sent } = await edited([
      ...[
        '--priority',
        '-3',
        '--memory',
        '1K',
        '--wall-time',
        '1m',
        '--queue-timeout',
        '1s',
        '--stdout-max',
        '9',
      ],
      ...[
        '--queue',
        'q',
        '--lane',
        'l',
        '--label',
        'a=b',
        '--label',
        'c=',
        '--metadata',
        'd=e',
        '--owner',
        'me',
      ],
      ...['--if-version', '8'],
    ]);
    expect([code, printed]).toEqual([0, taskView({ status: 'accepted', version: 9 })]);
    expect(sent).toMatchObject({
      ...{ method: 'PATCH', url: '/api/v1/tasks/t%201', headers: { 'x-execgo-owner': 'me' } },
      body: {
        if_version: 8,
        limits: { memory_bytes: 1024, wall_time_ms: 60_000, queue_timeout_ms: 1000, stdout_max_bytes: 9 },
        policy: { priority: -3 },
        control_context: { queue: 'q', lane: 'l', labels: { a: 'b', c: '' } },
        metadata: { d: 'e' },
      },
    });
    expect((await edited(['--priority', '1'])).body).toEqual({ policy: { priority: 1 } });
  });

  it('takes all changes as JSON, with what they take back', async () => {
    const changes = { limits: { memory_bytes: null }, policy: { demands: null } };
    expect((await edited(['--json', JSON.stringify(changes)])).body).toEqual(changes);
    const guarded = await edited(['--json', JSON.stringify(changes), '--if-version', '4']);
    expect(guarded.body).toEqual({ ...changes, if_version: 4 });
  });
});

describe('usage', () => {
  it.each([
    [[], 'no command given; see execgo --help'],
    [['stats'], 'unknown command "stats"; did you mean "execgo status"?'],
    [['gx'], 'unknown command "gx"; see execgo --help'],
    [['toString'], 'unknown command "toString"; see execgo --help'],
    [['make', 'test'], 'a program is run by execgo run -- make'],
    [['ls'], 'unknown command "ls"; did you mean "execgo list"?'],
    [['ps', '-a'], 'did you mean "execgo list"?'],
    [['stop', 'a'], 'did you mean "execgo kill"?'],
    [['cancel', 'a'], 'did you mean "execgo kill"?'],
    [['tail', '-f', 'a'], 'did you mean "execgo logs"?'],
    [['show', 'a'], 'did you mean "execgo status"?'],
    [['rm', 'a'], '"execgo kill" (cancel tasks) or "execgo gc" (remove ended tasks that are due)?'],
    [['help', 'ls'], 'did you mean "execgo list"?'],
    [['kil'], 'did you mean "execgo kill"?'],
    [
      ['status'],
      "missing required argument 'id' (execgo list shows the tasks there are); see execgo status --help",
    ],
    [['backup'], "missing required argument 'file'; see execgo backup --help"],
    [['status', 'a', 'b'], 'too many arguments'],
    [['status', '--jsn', 'a'], '(Did you mean --json?)'],
    [['status', 'a', '--server', 'nope'], '"nope" is not a server address'],
    [['submit'], 'nothing to run'],
    [['submit', '--wall-time', '10', '--', 'x'], '"10" is not a duration'],
    [['submit', '--env', 'A', '--', 'x'], '"A" is not KEY=VALUE'],
    [['submit', '--json', '{'], '--json is not JSON'],
    [['submit', '--json', '[]'], '--json must be a JSON object'],
    [['submit', '--json', '{}', '--memory', '1M'], 'hold the whole request'],
    [['submit', '--json', '{}', '--file', '-'], 'not both'],
    [['submit', '--file', '/nonexistent/request'], 'cannot read /nonexistent/request'],
    [['submit', '--script', '-', '--', 'x'], 'not both'],
    [['edit'], "missing required argument 'id'"],
    [['edit', 'a'], 'nothing to change'],
    [['edit', 'a', '--if-version', '3'], 'nothing to change'],
    [['edit', 'a', '--priority', 'high'], '"high" is not a whole number'],
    [['edit', 'a', '--json', '{}', '--priority', '1'], 'hold all changes'],
    [['edit', 'a', '--json', '{}', '--file', '-'], 'not both'],
    [['edit', 'a', '--json', '[]'], '--json must be a JSON object'],
    [['kill', '--signal', 'NOPE', 'a'], '"NOPE" is not a signal'],
    [['list', '--all', '-n', '3'], 'not both'],
    [['list', '-n', '0'], '-n must be from 1 to 1000'],
    [['list', '--changed-after', '-1'], 'must not be negative'],
    [['list', '--changed-after', 'abc'], 'is not a whole number'],
    [['list', '--created-after', 'yesterday'], '"yesterday" is not a time: write 2026-03-01'],
    [['list', '--finished-before', '2026-13-01'], 'is not a time'],
    [['list', '--order', 'age'], 'Allowed choices are newest, oldest, created, finished, priority'],
    [['logs', '--head-tail', '-f', 'a'], '--head-tail goes with neither'],
    [['serve', '--nope'], "unknown option '--nope'"],
  ])('%j exits 2 with one line', async (args, message) => {
    const { code, stdout, stderr } = await execgo(args);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^execgo: [^\n]*\n$/);
    expect([code, stdout.length]).toEqual([2, 0]);
  });

  it('help is on standard output and exits 0', async () => {
    for (const args of [['--help'], ['help', 'run'], ['serve', '-h']]) {
      const { code, stdout, stderr } = await execgo(args);
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout.toString()).toMatch(/^Usage: execgo/);
    }
  });

  it('tells its version', async () => {
    expect((await execgo(['--version'])).stdout.toString()).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('says what to do when the daemon is not there', async () => {
    const server = await serve(() => undefined);
    await server.stop();
    const message = `execgo: cannot reach execgo at ${server.url}: connection refused; is \`execgo serve\` running?\n`;
    for (const args of [
      ['status', 'a'],
      ['wait', 'a'],
      ['logs', '-f', 'a'],
      ['events', '-f'],
      ['run', '--', 'x'],
    ])
      expect(await execgo(args, { server: server.url })).toMatchObject({
        code: 1,
        stderr: message,
      });
  });

  it('tells a refusal with what to do about it', async () => {
    const server = await serve((_seen, res) => {
      refuse(res, 404, 'not_found', 'task not found: a\u001b[2J');
    });
    const { code, stderr } = await execgo(['status', 'a'], { server: server.url });
    expect([code, stderr]).toEqual([
      1,
      'execgo: task not found: a [2J (execgo list shows the tasks there are)\n',
    ]);
  });
});

describe('submit', () => {
  it('turns flags into a request and prints the id', async () => {
    const server = await daemon(() => undefined);
    const flags =
      'submit --id my-1 -e A=b=c -e E= --wall-time 10s --cpu-time 3s --cpu-millis 500 --memory 64M --pids 9 --stdout-max 1K ' +
      '--stderr-max 2K --stdout-keep 3K --stderr-keep 4K --queue-timeout 1m --priority -2 --queue q --lane l --session s --tenant t --owner o --label a=1 --label b=2 ' +
      '--metadata m=n --idempotency-key k --sandbox linux_sandbox --workspace-subdir sub --strict prog -x --env --';
    const { code, stdout } = await execgo(flags.split(' '), { server: server.url });
    expect([code, stdout.toString()]).toEqual([0, 'my-1\n']);
    expect(bodyOf(server)).toEqual({
      task_id: 'my-1',
      execution: { kind: 'command', program: 'prog', args: ['-x', '--env', '--'], env: { A: 'b=c', E: '' } },
      limits: {
        wall_time_ms: 10_000,
        cpu_time_sec: 3,
        cpu_millis: 500,
        memory_bytes: 67_108_864,
        pids_max: 9,
        stdout_max_bytes: 1024,
        stderr_max_bytes: 2048,
        stdout_keep_bytes: 3072,
        stderr_keep_bytes: 4096,
        queue_timeout_ms: 60_000,
      },
      sandbox: { profile: 'linux_sandbox', workspace_subdir: 'sub' },
      policy: { capability_mode: 'strict', priority: -2 },
      control_context: {
        tenant: 't',
        owner: 'o',
        labels: { a: '1', b: '2' },
        idempotency_key: 'k',
        queue: 'q',
        lane: 'l',
        session_id: 's',
      },
      metadata: { m: 'n' },
    });
  });

  it('takes a script from standard input', async () => {
    const server = await daemon(() => undefined);
    const args = ['submit', '--script', '-', '--interpreter', 'python3 -u'];
    expect(await execgo(args, { server: server.url, input: 'print(1)\n' })).toMatchObject({ code: 0 });
    expect(bodyOf(server)).toMatchObject({
      execution: { kind: 'script', script: 'print(1)\n', interpreter: ['python3', '-u'] },
    });
  });

  it('passes a whole request on, from a flag, a file and standard input, and prints JSON', async () => {
    const server = await daemon(() => undefined);
    const dir = await mkdtemp(path.join(tmpdir(), 'execgo-cli-'));
    cleanups.push(() => rm(dir, { recursive: true }));
    const request = '{"task_id":"x","execution":{"kind":"command","program":"a"},"future":1}';
    await writeFile(path.join(dir, 'r.json'), request);
    for (const form of [
      ['--json', request],
      ['--file', path.join(dir, 'r.json')],
      ['--file', '-'],
    ]) {
      const { stdout } = await execgo(['submit', ...form], { server: server.url, input: request });
      expect(JSON.parse(stdout.toString())).toEqual({ task_id: 'x', handle_id: 'x', status: 'accepted' });
    }
    expect(server.seen.map((s) => JSON.parse(s.body) as unknown)).toEqual(Array(3).fill(JSON.parse(request)));
  });

  it('leaves a request with an idempotency key as it is', async () => {
    const server = await daemon(() => undefined);
    await execgo(['submit', '--idempotency-key', 'k', 'true'], { server: server.url });
    expect(bodyOf(server)).not.toHaveProperty('task_id');
  });

  it('accepts nothing with --dry-run', async () => {
    const server = await serve((_seen, res) => {
      json(res, examples.PlannedTask);
    });
    const { stdout } = await execgo(['submit', '--dry-run', '--', 'true'], { server: server.url });
    expect([JSON.parse(stdout.toString()), server.seen[0]?.url]).toEqual([
      examples.PlannedTask,
      '/api/v1/tasks?dry_run=true',
    ]);
  });

  it.each([
    ['was accepted', 1],
    ['was not accepted', 2],
  ])('makes one task when the answer is lost and it %s', async (_what, submissions) => {
    const server = await serve((seen, res, nth) => {
      if (seen.method === 'POST' && nth === 1) res.destroy();
      else if (seen.method === 'POST') {
        const { task_id } = JSON.parse(seen.body) as { task_id: string };
        json(res, { task_id, handle_id: task_id, status: 'accepted' });
      } else if (submissions === 1) json(res, taskView({ status: 'running' }));
      else refuse(res, 404, 'not_found', 'task not found');
    });
    const { code, stdout } = await execgo(['submit', 'true'], { server: server.url });
    const posts = server.seen
      .filter((s) => s.method === 'POST')
      .map((s) => JSON.parse(s.body) as { task_id: string });
    expect(posts).toHaveLength(submissions);
    expect(new Set(posts.map((post) => post.task_id)).size).toBe(1);
    expect([code, stdout.toString()]).toEqual([0, `${posts[0]?.task_id ?? ''}\n`]);
  });
});

describe('submit --timeout-ms', () => {
  it('changes nothing where the answer comes in time', async () => {
    const server = await daemon(() => undefined);
    const args = ['submit', '--timeout-ms', '9007199254740991', '--id', 'x', 'true'];
    expect(await execgo(args, { server: server.url })).toMatchObject({ code: 0, stdout: Buffer.from('x\n') });
  });

  it.each([
    [['--', 'true'], /: no answer within 50 ms; .* execgo status ([\w-]{36}) tells$/],
    [['--id', 'mine', '--', 'true'], /execgo status mine tells$/],
    [['--json', '{"task_id":"whole","execution":{"kind":"command","program":"a"}}'], /status whole tells$/],
    [['--idempotency-key', 'k', '--', 'true'], /the same key tells, and makes no second task$/],
  ])('exits 124 for %j and says how to find out whether it was accepted', async (rest, message) => {
    const server = await serve(() => undefined);
    const args = ['submit', '--timeout-ms', '50', ...rest];
    const { code, stdout, stderr } = await execgo(args, { server: server.url });
    expect([code, stdout.length]).toEqual([124, 0]);
    expect(stderr.trimEnd()).toMatch(message);
    const named = message.exec(stderr.trimEnd())?.[1];
    if (named !== undefined && server.seen.length > 0)
      expect(bodyOf(server)).toMatchObject({ task_id: named });
  });
});

describe('run', () => {
  it('keeps the streams apart, byte for byte, and exits as the task does', async () => {
    const bytes = Buffer.from([0, 1, 0xff, 0xfe, 10, 0xe2, 0x82]);
    const server = await daemon((_seen, res) => {
      beginEvents(res);
      sendEvent(res, 'stdout', chunk(0, bytes), '7-0');
      sendEvent(res, 'stderr', chunk(0, 'oops\n'), '7-5');
      sendEvent(res, 'end', { status: 'failed', exit_code: 7, cause: 'exit' });
      res.end();
    });
    const { code, stdout, stderr } = await execgo(['run', '--', 'x'], { server: server.url });
    expect([code, stdout, stderr]).toEqual([7, bytes, 'oops\n']);
  });

  it.each([
    [{ status: 'failed', exit_signal: 9, cause: 'oom' }, 137, 'execgo: why\n'],
    [{ status: 'failed', cause: 'launch' }, 125, 'execgo: why\n'],
    [{ status: 'success', exit_code: 0 }, 0, ''],
  ])('for %j exits %i', async (end, expected, said) => {
    const server = await daemon((seen, res) => {
      if (!seen.url.includes('/output/stream')) {
        json(res, taskView({ ...end, error: { code: 'signal', message: 'why' } }));
        return;
      }
      beginEvents(res);
      sendEvent(res, 'end', end);
      res.end();
    });
    const { code, stderr } = await execgo(['run', '--', 'x'], { server: server.url });
    expect([code, stderr]).toEqual([expected, said]);
  });

  it('notes where output was not kept', async () => {
    const server = await daemon((_seen, res) => {
      beginEvents(res);
      sendEvent(res, 'stdout', chunk(0, 'ab'), '2-0');
      sendEvent(res, 'omitted', { stream: 'stdout', from: 2, to: 12 }, '12-0');
      sendEvent(res, 'stdout', chunk(12, 'yz'), '14-0');
      sendEvent(res, 'end', { status: 'success', exit_code: 0 });
    });
    const { stdout, stderr } = await execgo(['run', 'x'], { server: server.url });
    expect([stdout.toString(), stderr]).toEqual([
      'abyz',
      'execgo: stdout: 10 bytes were not kept and are left out here\n',
    ]);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s cancels the task, shows the rest and exits %i', async (signal, expected) => {
    let finish: () => void = () => undefined;
    const server = await daemon((seen, res) => {
      if (seen.url.includes('/kill')) {
        json(res, taskView({ status: 'running' }));
        finish();
      } else if (seen.url.includes('/output/stream')) {
        beginEvents(res);
        sendEvent(res, 'stdout', chunk(0, 'begun\n'), '6-0');
        finish = () => {
          sendEvent(res, 'stdout', chunk(6, 'rest\n'), '11-0');
          sendEvent(res, 'end', { status: 'cancelled', exit_signal: 15, cause: 'cancelled' });
        };
      } else json(res, taskView({ status: 'cancelled' }));
    });
    const run = new Execgo(['run', '--owner', 'me', '--', 'x'], { server: server.url });
    await run.printed('begun');
    run.kill(signal);
    expect(await run.finished).toMatchObject({
      code: expected,
      stdout: Buffer.from('begun\nrest\n'),
      stderr: '',
    });
    expect(server.seen.find((s) => s.url.includes('/kill'))?.headers['x-execgo-owner']).toBe('me');
  });

  it('a second signal ends it at once', async () => {
    const server = await daemon((seen, res) => {
      if (!seen.url.includes('/output/stream')) return;
      beginEvents(res);
      sendEvent(res, 'stdout', chunk(0, 'begun\n'), '6-0');
    });
    const run = new Execgo(['run', 'x'], { server: server.url });
    await run.printed('begun');
    run.kill('SIGINT');
    const { url } = await server.request('POST', '/api/v1/tasks/');
    expect(url).toMatch(/\/kill$/);
    run.kill('SIGINT');
    expect((await run.finished).code).toBe(130);
  });

  it('a signal before the task has its id still cancels it', async () => {
    let accept: () => void = () => undefined;
    const server = await serve((seen, res) => {
      if (seen.url === '/api/v1/tasks')
        accept = () => {
          json(res, { task_id: 't1', handle_id: 't1', status: 'accepted' });
        };
      else if (seen.url.includes('/kill')) json(res, taskView({ status: 'cancelled' }));
      else if (seen.url.includes('/output/stream')) {
        void server.request('POST', '/api/v1/tasks/t1/kill').then(() => {
          beginEvents(res);
          sendEvent(res, 'end', { status: 'cancelled', cause: 'cancelled' });
        });
      } else json(res, taskView({ status: 'cancelled' }));
    });
    const run = new Execgo(['run', 'x'], { server: server.url });
    await server.request('POST', '/api/v1/tasks');
    run.kill('SIGINT');
    accept();
    expect((await run.finished).code).toBe(130);
  });

  it('a reader that has gone cancels the task, quietly', async () => {
    const server = await daemon((seen, res) => {
      if (seen.url.includes('/output/stream')) {
        beginEvents(res);
        sendEvent(res, 'stdout', chunk(0, 'begun\n'), '6-0');
        // Bytes that nobody reads any more, until the kill has come.
        const flood = setInterval(() => {
          sendEvent(res, 'stdout', chunk(6, 'x'.repeat(100)), '7-0');
        }, 5);
        void server.request('POST', '/api/v1/tasks/').then(() => {
          clearInterval(flood);
          sendEvent(res, 'end', { status: 'cancelled', exit_signal: 15, cause: 'cancelled' });
        });
      } else json(res, taskView({ status: 'cancelled' }));
    });
    const run = new Execgo(['run', 'x'], { server: server.url });
    await run.printed('begun');
    run.closeStdout();
    expect(await run.finished).toMatchObject({ code: 141, stderr: '' });
  });

  it('goes on where it was after a restart of the daemon', async () => {
    const server = await daemon((seen, res, nth) => {
      beginEvents(res);
      if (nth === 1) {
        sendEvent(res, 'stdout', chunk(0, 'one\n'), '4-0');
        return;
      }
      expect(seen.headers['last-event-id']).toBe('4-0');
      sendEvent(res, 'stdout', chunk(4, 'two\n'), '8-0');
      sendEvent(res, 'end', { status: 'success', exit_code: 0 });
    });
    const run = new Execgo(['run', 'x'], { server: server.url });
    await run.printed('one');
    await server.stop();
    await server.start();
    expect(await run.finished).toMatchObject({ code: 0, stdout: Buffer.from('one\ntwo\n'), stderr: '' });
  });

  it.each([[['--', 'x']], [['-o', 'json', '--', 'x']]])(
    '--timeout-ms exits 124 and leaves the task (%j)',
    async (rest) => {
      const server = await daemon((seen, res) => {
        if (seen.url.includes('/output/stream')) beginEvents(res);
        else json(res, taskView({ status: 'running' }));
      });
      const args = ['run', '--id', 't1', '--timeout-ms', '50', ...rest];
      const { code, stderr } = await execgo(args, { server: server.url });
      expect(code).toBe(124);
      expect(stderr).toContain('task t1 did not end within 50 ms; it goes on: execgo logs -f t1');
      expect(server.seen.some((s) => s.url.includes('/kill'))).toBe(false);
    },
  );

  it.each([[['-o', 'json', '--', 'x']], [['--json', '{"execution":{"kind":"command","program":"x"}}']]])(
    'prints the final status for %j',
    async (rest) => {
      const view = taskView({ status: 'failed', exit_code: 3 });
      const server = await daemon((_seen, res) => {
        json(res, view);
      });
      const { code, stdout } = await execgo(['run', ...rest], { server: server.url });
      expect([code, JSON.parse(stdout.toString())]).toEqual([3, view]);
    },
  );
});

describe('wait, kill, status, list', () => {
  it('wait prints an object for one task and an array for several', async () => {
    const server = await serve((seen, res) => {
      json(res, taskView({ task_id: seen.url.slice(14, 15) }));
    });
    const one = await execgo(['wait', 'a'], { server: server.url });
    const two = await execgo(['wait', 'a', 'b'], { server: server.url });
    expect([one.code, JSON.parse(one.stdout.toString())]).toMatchObject([0, { task_id: 'a' }]);
    expect([two.code, JSON.parse(two.stdout.toString())]).toMatchObject([
      0,
      [{ task_id: 'a' }, { task_id: 'b' }],
    ]);
  });

  it.each([
    [['good', 'good'], 0],
    [['good', 'three', 'killed'], 3],
    [['killed', 'three'], 137],
    [['lost', 'three'], 125],
    [['handled', 'three'], 125],
  ])('wait for %j exits as the first that did not succeed', async (ids, expected) => {
    const ends: Record<string, object> = {
      good: { status: 'success', exit_code: 0 },
      three: { status: 'failed', exit_code: 3 },
      killed: { status: 'cancelled', exit_signal: 9 },
      lost: { status: 'failed', cause: 'lost' },
      handled: { status: 'cancelled', exit_code: 0 },
    };
    const server = await serve((seen, res) => {
      const task_id = /tasks\/(\w+)/.exec(seen.url)?.[1] ?? '';
      json(res, { ...taskView({ task_id }), exit_code: undefined, ...ends[task_id] });
    });
    expect((await execgo(['wait', ...ids], { server: server.url })).code).toBe(expected);
    expect((await execgo(['wait', '--exit-zero', ...ids], { server: server.url })).code).toBe(0);
  });

  it('wait exits 124 when time runs out', async () => {
    const server = await serve((_seen, res) => {
      json(res, taskView({ status: 'running' }));
    });
    const args = ['wait', '--timeout-ms', '20', '--poll-interval-ms', '100', 't1'];
    const { code, stdout, stderr } = await execgo(args, { server: server.url });
    expect([code, stdout.length, stderr]).toEqual([
      124,
      0,
      'execgo: task t1 did not end within 20 ms; it goes on\n',
    ]);
  });

  it('kill tries every task, tells each failure, and exits 1 when there is one', async () => {
    const server = await serve((seen, res) => {
      if (seen.url.includes('bad')) refuse(res, 403, 'permission_denied', 'permission denied: no');
      else json(res, taskView({ status: 'running' }));
    });
    const args = ['kill', '--signal', 'int', '--grace', '2s', '--owner', 'me', 'bad', 'good'];
    const { code, stdout, stderr } = await execgo(args, { server: server.url });
    expect([code, JSON.parse(stdout.toString())]).toMatchObject([1, { task_id: 't1' }]);
    expect(stderr).toMatch(/^execgo: bad: permission denied: no \(give the task's owner[^\n]*\n$/);
    expect(server.seen.map((s) => s.url).sort()).toEqual([
      '/api/v1/tasks/bad/kill?signal=2&grace_ms=2000',
      '/api/v1/tasks/good/kill?signal=2&grace_ms=2000',
    ]);
  });

  it.each(['pause', 'resume', 'release'])(
    '%s tries every task, tells each failure, and exits 1',
    async (what) => {
      const server = await serve((seen, res) => {
        if (seen.url.includes('bad')) refuse(res, 409, 'conflict', 'task bad waits');
        else json(res, taskView({ status: 'running', paused: true }));
      });
      const args = [what, '--owner', 'me', 'bad', 'good'];
      const { code, stdout, stderr } = await execgo(args, { server: server.url });
      expect([code, JSON.parse(stdout.toString()), stderr]).toMatchObject([
        1,
        { task_id: 't1', paused: true },
        'execgo: task bad waits\n',
      ]);
      expect(server.seen.map((s) => [s.url, s.headers['x-execgo-owner']]).sort()).toEqual([
        [`/api/v1/tasks/bad/${what}`, 'me'],
        [`/api/v1/tasks/good/${what}`, 'me'],
      ]);
      expect((await execgo([what], { server: server.url })).code).toBe(2);
    },
  );

  it('kill --wait answers the end', async () => {
    const server = await serve((seen, res) => {
      json(res, taskView({ status: seen.method === 'POST' ? 'running' : 'cancelled' }));
    });
    const { stdout } = await execgo(['kill', '--wait', 't1'], { server: server.url });
    expect(JSON.parse(stdout.toString())).toMatchObject({ status: 'cancelled' });
  });

  it('status prints the object of the API', async () => {
    const server = await serve((_seen, res) => {
      json(res, taskView({ stdout: 'ü\u0000' }));
    });
    const { stdout } = await execgo(['status', 't1'], { server: server.url });
    expect(JSON.parse(stdout.toString())).toEqual(taskView({ stdout: 'ü\u0000' }));
  });

  it('list prints one page, or all of them as one object', async () => {
    const server = await serve((seen, res) => {
      if (seen.url.includes('cursor=c2')) json(res, { tasks: [taskSummary('b')] });
      else json(res, { tasks: [taskSummary('a')], next_cursor: 'c2' });
    });
    const filters = ['--status', 'running, failed', '--label', 'k', '--text', 'x y'];
    const page = await execgo(['list', ...filters, '-n', '1'], { server: server.url });
    const all = await execgo(['list', '--all'], { server: server.url });
    expect(JSON.parse(page.stdout.toString())).toEqual({ tasks: [taskSummary('a')], next_cursor: 'c2' });
    expect(JSON.parse(all.stdout.toString())).toEqual({ tasks: [taskSummary('a'), taskSummary('b')] });
    const { pathname, searchParams } = new URL(server.seen[0]!.url, server.url);
    expect(pathname).toBe('/api/v1/tasks');
    const asked = { status: 'running,failed', label: 'k', text: 'x y', limit: '1' };
    expect(Object.fromEntries(searchParams)).toEqual(asked);
  });

  it('a reader that has gone ends a listing quietly', async () => {
    const server = await serve((_seen, res) => {
      json(res, { tasks: Array(500).fill(taskSummary('a'.repeat(100))), next_cursor: 'c' });
    });
    const list = new Execgo(['list', '--all'], { server: server.url });
    await list.printed('aaa');
    list.closeStdout();
    expect(await list.finished).toMatchObject({ code: 141, stderr: '' });
  });
});

describe('logs and events', () => {
  const text = Buffer.from('one\ntwo\nthree\n');
  const logs: Handler = (seen, res) => {
    const url = new URL(seen.url, 'http://x');
    const bytes = url.searchParams.get('stream') === 'stderr' ? Buffer.from('err\n') : text;
    const offset = Number(url.searchParams.get('offset'));
    if (url.pathname.endsWith('/stream')) {
      beginEvents(res);
      sendEvent(res, url.searchParams.get('stream') ?? '', chunk(offset, bytes.subarray(offset)), 'x');
      sendEvent(res, 'end', { status: 'success' });
    } else if (url.searchParams.get('view') === 'head_tail') {
      json(res, {
        ...{ task_id: 't1', attempt: 1, stream: url.searchParams.get('stream') },
        ...{ head: 'h', tail: 't', eof: true },
        ...{ head_bytes: 1, tail_bytes: 1, total_bytes: 7, omitted_bytes: 5, omitted_lines: 2 },
      });
    } else {
      const data = bytes.subarray(offset, offset + 5);
      json(res, outputRange('stdout', offset, data, bytes.length));
    }
  };

  it('logs shows all of each stream, range by range', async () => {
    const server = await serve(logs);
    const { code, stdout, stderr } = await execgo(['logs', 't1'], { server: server.url });
    expect([code, stdout, stderr]).toEqual([0, text, 'err\n']);
  });

  it('logs --tail shows the last lines, also while following', async () => {
    const server = await serve(logs);
    for (const follow of [[], ['-f']]) {
      const args = ['logs', '--stream', 'stdout', '--tail', '2', ...follow, 't1'];
      const { stdout } = await execgo(args, { server: server.url });
      expect(stdout.toString()).toBe('two\nthree\n');
    }
  });

  it('logs --head-tail says what is left out', async () => {
    const server = await serve(logs);
    const { stdout } = await execgo(['logs', '--head-tail', '--stream', 'stdout', 't1'], {
      server: server.url,
    });
    expect(stdout.toString()).toBe('h\n[… 5 bytes in 2 lines left out …]\nt');
  });

  const event = (seq: number, event_type: string, task_id = 't1') => eventView(seq, { event_type, task_id });

  it('events of a task are an array; followed they are lines until its end', async () => {
    const server = await serve((seen, res) => {
      if (seen.url.startsWith('/api/v1/tasks')) {
        json(res, [event(1, 'submitted')]);
        return;
      }
      beginEvents(res);
      for (const e of [event(2, 'started', 'other'), event(3, 'started'), event(4, 'finished')])
        sendEvent(res, 'message', e);
    });
    const once = await execgo(['events', 't1'], { server: server.url });
    expect(JSON.parse(once.stdout.toString())).toEqual([event(1, 'submitted')]);
    const followed = await execgo(['events', '-f', 't1'], { server: server.url });
    const lines = followed.stdout
      .toString()
      .trim()
      .split('\n')
      .map((l) => (JSON.parse(l) as { seq: number }).seq);
    expect([followed.code, lines]).toEqual([0, [1, 3, 4]]);
    expect(server.seen.at(-1)?.url).toBe('/api/v1/events?after_seq=1');
  });

  it('the feed is read page by page', async () => {
    const server = await serve((seen, res) => {
      const after = Number(new URL(seen.url, 'http://x').searchParams.get('after_seq'));
      json(
        res,
        after >= 1500
          ? []
          : Array.from({ length: after === 0 ? 1000 : 500 }, (_, i) => event(after + i + 1, 'x')),
      );
    });
    const { stdout } = await execgo(['events'], { server: server.url });
    expect(stdout.toString().trim().split('\n')).toHaveLength(1500);
  });
});
