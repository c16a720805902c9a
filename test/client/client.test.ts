import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  ExecgoApiError,
  ExecgoClient,
  ExecgoConnectionError,
  ExecgoTimeoutError,
} from '../../src/client/index.js';
import type { OutputEvent } from '../../src/client/index.js';
import { examples } from '../../src/task/examples.js';
import {
  beginEvents,
  chunk,
  eventView,
  FakeServer,
  json,
  outputRange,
  refuse,
  sendEvent,
  taskSummary,
  taskView,
  type Handler,
} from './fake-server.js';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(handler: Handler, likeADaemon?: boolean): Promise<FakeServer> {
  const server = await new FakeServer(handler, likeADaemon).start();
  cleanups.push(() => server.stop());
  return server;
}

function clientOf(server: string, reconnectMs = 20_000): ExecgoClient {
  const client = new ExecgoClient({ server, reconnectMs });
  cleanups.push(() => {
    client.close();
  });
  return client;
}

const REQUEST = { execution: { kind: 'command', program: 'true' } } as const;

describe('requests', () => {
  it('go where the API is', async () => {
    const server = await serve((_seen, res) => {
      json(res, { pieces: [] });
    }, false);
    const client = clientOf(`${server.url}/`);
    await client.submit(REQUEST);
    await client.submitBatch([REQUEST]);
    await client.dryRun(REQUEST);
    await client.status('a/b c', { waitMs: 5 });
    await client.kill('t1', { owner: 'me', signal: 2, graceMs: 10, waitMs: 20 });
    await client.pause('t1', { owner: 'me' });
    await client.resume('t1');
    await client.release('t1', { owner: 'me' });
    await client.list({ status: ['running', 'accepted'], label: 'a=b', limit: 3 });
    await client.list({
      order: 'finished',
      finished_after: '2026-03-01T00:00:00Z',
      fields: ['status', 'cause'],
    });
    await client.changesPage({ changed_after: 7, tenant: 't', wait_ms: 5 });
    await client.eventsWhere({ event_type: ['failed', 'finished'], queue: 'q' }, { afterSeq: 3, waitMs: 9 });
    await client.taskEvents('t1', { afterSeq: 4, limit: 2 });
    await client.events({ afterSeq: 1, waitMs: 9 });
    await client.outputView('t1', { stream: 'stderr', maxBytes: 10, maxLines: 2 });
    await client.delete('t1');
    await client.markRead('t1', 'a@b', { version: 3 });
    await client.snapshot({ queue: 'q' });
    await client.queues({ limit: 2, cursor: 'c' });
    await client.queue('../a b');
    await client.putQueue('..', { max_running: 1, lanes: { l: { max_running: null } } });
    await client.deleteQueue('q');
    await client.sessions.create({ session_id: 's' });
    await client.sessions.list({ tenant: 'acme', limit: 2 });
    await client.sessions.get('a b');
    await client.sessions.edit('s', { title: 't' }, { tenant: 'acme', owner: 'me' });
    await client.sessions.storage('s', { tenant: 't', waitMs: 5 });
    await client.sessions.storage('s', { refresh: true });
    await client.sessions.events('s', {
      eventType: ['failed', 'finished'],
      afterSeq: 3,
      limit: 2,
      waitMs: 9,
    });
    await client.sessions.output('s', { tenant: 't', after: 'c', limit: 9, stream: 'stderr' });
    await client.sessions.markRead('s', 'a@b', { version: 1, eventSeq: 9 });
    await client.sessions.list({ reader: 'a', unread: true });
    await client.sessions.delete('s', { force: true, waitMs: 5 });
    await client.schedules({ limit: 2, cursor: 'c' });
    await client.schedule('a b');
    await client.makeSchedule({ name: 's', cron: '0 3 * * *', task: REQUEST });
    await client.editSchedule('s', { paused: true }, { owner: 'me' });
    await client.deleteSchedule('s', { owner: 'me' });
    await client.runSchedule('s');
    await client.groups({ tenant: 't', limit: 2 });
    await client.group('a/b', { tenant: 't', waitMs: 5 });
    await client.killGroup('g', { tenant: 't', owner: 'me', signal: 2, graceMs: 10, waitMs: 20 });
    await client.retry('t1', { owner: 'me' });
    await client.retry('t1', { again: true });
    await client.retryGroup('g', { tenant: 't', cancelled: true, limit: 2, cursor: 'c', owner: 'me' });
    await client.files.list({ session: 's' }, 'a/b');
    await client.files.write({ task: 't' }, 'a/b c', Buffer.from('x'), { mode: 0o600 });
    (await client.files.read({ session: 's' }, 'x', { tenant: 't', start: 1 })).resume();
    await client.files.remove({ session: 's' }, 'x');
    for (const name of ['info', 'capabilities', 'config', 'resources', 'health', 'ready', 'metrics'] as const)
      await client[name]();
    expect(server.seen.map((s) => `${s.method} ${s.url}`)).toEqual([
      'POST /api/v1/tasks',
      'POST /api/v1/tasks/batch',
      'POST /api/v1/tasks?dry_run=true',
      'GET /api/v1/tasks/a%2Fb%20c?wait_ms=5',
      'POST /api/v1/tasks/t1/kill?signal=2&grace_ms=10&wait_ms=20',
      'POST /api/v1/tasks/t1/pause',
      'POST /api/v1/tasks/t1/resume',
      'POST /api/v1/tasks/t1/release',
      'GET /api/v1/tasks?status=running%2Caccepted&label=a%3Db&limit=3',
      'GET /api/v1/tasks?order=finished&finished_after=2026-03-01T00%3A00%3A00Z&fields=status%2Ccause',
      'GET /api/v1/tasks?changed_after=7&tenant=t&wait_ms=5',
      'GET /api/v1/events?queue=q&event_type=failed%2Cfinished&after_seq=3&wait_ms=9',
      'GET /api/v1/tasks/t1/events?after_seq=4&limit=2',
      'GET /api/v1/events?after_seq=1&wait_ms=9',
      'GET /api/v1/tasks/t1/output?stream=stderr&view=head_tail&max_bytes=10&max_lines=2',
      'DELETE /api/v1/tasks/t1',
      'PUT /api/v1/tasks/t1/read/a%40b',
      'GET /api/v1/snapshot?queue=q',
      'GET /api/v1/queues?limit=2&cursor=c',
      'GET /api/v1/queues/..%2Fa%20b',
      'PUT /api/v1/queues/..',
      'DELETE /api/v1/queues/q',
      'POST /api/v1/sessions',
      'GET /api/v1/sessions?tenant=acme&limit=2',
      'GET /api/v1/sessions/a%20b',
      'PATCH /api/v1/sessions/s?tenant=acme',
      'GET /api/v1/sessions/s/storage?tenant=t&wait_ms=5',
      'POST /api/v1/sessions/s/storage/refresh',
      'GET /api/v1/sessions/s/events?event_type=failed%2Cfinished&after_seq=3&limit=2&wait_ms=9',
      'GET /api/v1/sessions/s/output?tenant=t&after=c&limit=9&stream=stderr&encoding=base64',
      'PUT /api/v1/sessions/s/read/a%40b',
      'GET /api/v1/sessions?reader=a&unread=true',
      'DELETE /api/v1/sessions/s?force=true&wait_ms=5',
      'GET /api/v1/schedules?limit=2&cursor=c',
      'GET /api/v1/schedules/a%20b',
      'POST /api/v1/schedules',
      'PATCH /api/v1/schedules/s',
      'DELETE /api/v1/schedules/s',
      'POST /api/v1/schedules/s/run',
      'GET /api/v1/groups?tenant=t&limit=2',
      'GET /api/v1/groups/a%2Fb?tenant=t&wait_ms=5',
      'POST /api/v1/groups/g/kill?tenant=t&signal=2&grace_ms=10&wait_ms=20',
      'POST /api/v1/tasks/t1/retry?again=false',
      'POST /api/v1/tasks/t1/retry?again=true',
      'POST /api/v1/groups/g/retry?tenant=t&cancelled=true&limit=2&cursor=c',
      'GET /api/v1/sessions/s/files?path=a%2Fb',
      'PUT /api/v1/tasks/t/files/a%2Fb%20c?mode=600',
      'GET /api/v1/sessions/s/files/x?tenant=t',
      'DELETE /api/v1/sessions/s/files/x',
      'GET /api/v1/runtime/info',
      'GET /api/v1/runtime/capabilities',
      'GET /api/v1/runtime/config',
      'GET /api/v1/runtime/resources',
      'GET /healthz',
      'GET /readyz',
      'GET /metrics',
    ]);
    expect(JSON.parse(server.seen[0]?.body ?? '')).toEqual(REQUEST);
    expect(server.seen[0]?.headers['content-type']).toBe('application/json');
    expect(JSON.parse(server.seen[1]?.body ?? '')).toEqual({ tasks: [REQUEST] });
    expect(server.seen[4]?.headers['x-execgo-owner']).toBe('me');
  });

  it('work over a Unix socket', async () => {
    const dir = await mkdtemp(path.join(tmpdir(), 'execgo-client-'));
    cleanups.push(() => rm(dir, { recursive: true }));
    const server = new FakeServer((_seen, res) => {
      json(res, examples.RuntimeInfo);
    });
    await server.start(path.join(dir, 's'));
    cleanups.push(() => server.stop());
    expect(await clientOf(`unix:${dir}/s`).info()).toEqual(examples.RuntimeInfo);
    expect(server.seen[0]?.headers.host).toBe('localhost');
  });

  it('decode output bytes', async () => {
    const bytes = Buffer.from([0, 255, 10]);
    const server = await serve((_seen, res) => {
      json(res, outputRange('stdout', 5, bytes, 8));
    });
    const range = await clientOf(server.url).output('t1', { stream: 'stdout', offset: 5 });
    expect(range).toMatchObject({ offset: 5, next_offset: 8, eof: true, data: bytes });
    expect(server.seen[0]?.url).toBe('/api/v1/tasks/t1/output?stream=stdout&offset=5&encoding=base64');
  });

  it('follow the pages of a list', async () => {
    const server = await serve((seen, res) => {
      if (seen.url.includes('cursor=next')) json(res, { tasks: [taskSummary('c')] });
      else json(res, { tasks: [taskSummary('a'), taskSummary('b')], next_cursor: 'next' });
    });
    const ids = [];
    for await (const task of clientOf(server.url).listAll({ limit: 2 })) ids.push(task.task_id);
    expect(ids).toEqual(['a', 'b', 'c']);
  });
});

describe('errors', () => {
  it('of the daemon keep code, message, status and details', async () => {
    const server = await serve((_seen, res) => {
      json(res, { error: { code: 'conflict', message: 'taken', details: [1] } }, 409);
    });
    const error = await clientOf(server.url)
      .submit(REQUEST)
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ExecgoApiError);
    expect(error).toMatchObject({ code: 'conflict', message: 'taken', status: 409, details: [1] });
  });

  it('say what to do when nothing listens', async () => {
    const server = await serve(() => undefined);
    await server.stop();
    const error = await clientOf(server.url)
      .status('t1')
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ExecgoConnectionError);
    expect(error).toMatchObject({
      code: 'ECONNREFUSED',
      message: `cannot reach execgo at ${server.url}: connection refused; is \`execgo serve\` running?`,
    });
  });

  it('tell what is not execgo', async () => {
    const server = await serve((seen, res) => {
      res.writeHead(seen.url === '/healthz' ? 200 : 502).end('<html>');
    }, false);
    await expect(clientOf(server.url).status('t1')).rejects.toThrow(/HTTP 502 without an execgo error/);
    await expect(clientOf(server.url).health()).rejects.toThrow(/not JSON; is it execgo/);
  });

  it('end a request that is not answered', async () => {
    const server = await serve(() => undefined);
    const client = new ExecgoClient({ server: server.url, requestTimeoutMs: 30 });
    await expect(client.info()).rejects.toThrow(/no answer within 30 ms/);
  });

  it('give the reason of an abort', async () => {
    const server = await serve(() => undefined);
    const abort = new AbortController();
    const answer = clientOf(server.url).info({ signal: abort.signal });
    await server.request('GET', '/api/v1/runtime/info');
    abort.abort(new Error('enough'));
    await expect(answer).rejects.toThrow('enough');
  });

  it.each(['ftp://x', 'localhost:8080', '', 'unix:relative', 'http://u@h', 'https://h'])(
    'refuse %j as an address',
    (server) => {
      expect(() => new ExecgoClient({ server })).toThrow(/is not a server address/);
    },
  );

  it('refuse an empty name of a queue, and half a character', async () => {
    const client = clientOf('http://127.0.0.1:9');
    await expect(client.queue('')).rejects.toThrow(TypeError);
    await expect(client.putQueue('\ud800', {})).rejects.toThrow(URIError);
    await expect(client.sessions.get('')).rejects.toThrow(TypeError);
  });

  it('refuse an empty task id, which would name the list', async () => {
    await expect(clientOf('http://127.0.0.1:1').status('')).rejects.toThrow(TypeError);
  });
});

describe('lost connections', () => {
  it('are replaced when a kept one was closed', async () => {
    const server = await serve((_seen, res) => {
      json(res, examples.RuntimeInfo);
    });
    const client = clientOf(server.url);
    await client.info();
    await server.stop();
    await server.start();
    expect(await client.info()).toEqual(examples.RuntimeInfo);
    expect(server.seen).toHaveLength(2);
  });

  it('never send a submission twice without a key', async () => {
    const server = await serve((_seen, res) => {
      res.destroy();
    });
    const client = clientOf(server.url);
    await expect(client.submit(REQUEST)).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(server.seen).toHaveLength(1);
  });
});

describe('wait', () => {
  it('polls until the task is terminal', async () => {
    const server = await serve((_seen, res, nth) => {
      json(res, taskView({ status: nth < 3 ? 'running' : 'failed' }));
    });
    expect(await clientOf(server.url).wait('t1')).toMatchObject({ status: 'failed' });
    expect(server.seen.map((s) => s.url)).toEqual(Array(3).fill('/api/v1/tasks/t1?wait_ms=60000'));
  });

  it('runs out', async () => {
    const server = await serve((_seen, res) => {
      json(res, taskView({ status: 'running' }));
    });
    const error = await clientOf(server.url)
      .wait('t1', { timeoutMs: 20 })
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ExecgoTimeoutError);
    expect(error).toMatchObject({ taskId: 't1', timeoutMs: 20 });
  });

  it('bears a restart of the daemon', async () => {
    const first = await serve(() => undefined);
    const waiting = clientOf(first.url).wait('t1');
    await first.request('GET', '/api/v1/tasks/t1');
    first.seen.length = 0;
    await first.stop();
    const port = Number(new URL(first.url).port);
    const second = new FakeServer((_seen, res, nth) => {
      // As what stands in front of a daemon may.
      if (nth === 1) refuse(res, 503, 'unavailable', 'not yet');
      else json(res, taskView());
    }, false);
    await second.startAt(port);
    cleanups.push(() => second.stop());
    expect(await waiting).toMatchObject({ status: 'success' });
  });

  it('gives up on a daemon that stays away', async () => {
    const server = await serve(() => undefined);
    await server.stop();
    await expect(clientOf(server.url, 100).wait('t1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('does not retry what the daemon refuses', async () => {
    const server = await serve((_seen, res) => {
      refuse(res, 404, 'not_found', 'task not found: t1');
    });
    await expect(clientOf(server.url).wait('t1')).rejects.toMatchObject({ code: 'not_found' });
    expect(server.seen).toHaveLength(1);
  });

  it('tells when the daemon wants to be asked again, where it says so', async () => {
    const server = await serve((seen, res) => {
      if (seen.body.includes('t1')) res.setHeader('retry-after', '3');
      refuse(res, 429, 'resource_limit_exceeded', 'queue is full');
    });
    const client = clientOf(server.url);
    const submit = (task_id: string) => client.submit({ ...REQUEST, task_id });
    await expect(submit('t1')).rejects.toMatchObject({ status: 429, retryAfterMs: 3000 });
    await expect(submit('t2')).rejects.toMatchObject({ status: 429, retryAfterMs: undefined });
  });
});

describe('followers', () => {
  it('resume output where a lost connection left off', async () => {
    const server = await serve((_seen, res, nth) => {
      beginEvents(res);
      if (nth === 1) {
        sendEvent(res, 'stdout', chunk(0, 'ab'), '2-0');
        sendEvent(res, 'stderr', chunk(0, 'x'), '2-1');
        res.write('event: stdout\ndata: {"cut', () => res.destroy());
      } else {
        sendEvent(res, 'stdout', chunk(2, 'cd'), '4-1');
        sendEvent(res, 'omitted', { stream: 'stdout', from: 4, to: 9 }, '9-1');
        sendEvent(res, 'end', { status: 'failed', exit_code: 3, cause: 'exit' }, '9-1');
      }
    });
    const events: OutputEvent[] = [];
    for await (const event of clientOf(server.url).followOutput('t1')) events.push(event);
    expect(events).toEqual([
      { type: 'data', stream: 'stdout', offset: 0, data: Buffer.from('ab') },
      { type: 'data', stream: 'stderr', offset: 0, data: Buffer.from('x') },
      { type: 'data', stream: 'stdout', offset: 2, data: Buffer.from('cd') },
      { type: 'omitted', stream: 'stdout', from: 4, to: 9 },
      { type: 'end', end: { status: 'failed', exit_code: 3, cause: 'exit' } },
    ]);
    expect(server.seen.map((s) => s.headers['last-event-id'])).toEqual([undefined, '2-1']);
    expect(server.seen[0]?.headers.accept).toBe('text/event-stream');
  });

  it('throw an error that the stream tells', async () => {
    const server = await serve((_seen, res) => {
      beginEvents(res);
      sendEvent(res, 'error', { error: { code: 'not_found', message: 'gone' } });
    });
    const reading = clientOf(server.url).followOutput('t1').next();
    await expect(reading).rejects.toMatchObject({ code: 'not_found', message: 'gone' });
  });

  it('follow events across a clean end of the stream', async () => {
    const server = await serve((_seen, res, nth) => {
      beginEvents(res);
      sendEvent(res, 'message', eventView(nth), String(nth));
      if (nth === 1) res.end();
    });
    const seqs = [];
    for await (const event of clientOf(server.url).followEvents({ afterSeq: 0 })) {
      seqs.push(event.seq);
      if (seqs.length === 2) break;
    }
    expect(seqs).toEqual([1, 2]);
    expect(server.seen.map((s) => s.headers['last-event-id'])).toEqual([undefined, '1']);
  });

  it('resume from an id that came before any event', async () => {
    const server = await serve((_seen, res, nth) => {
      beginEvents(res);
      if (nth === 1) res.end('id: 41\n\n');
      else sendEvent(res, 'message', eventView(42), '42');
    });
    const { value } = await clientOf(server.url).followEvents().next();
    expect(value).toEqual(eventView(42));
    expect(server.seen[1]?.headers['last-event-id']).toBe('41');
  });

  it('close the connection when the reader stops', async () => {
    let closed: () => void = () => undefined;
    const closing = new Promise<void>((resolve) => (closed = resolve));
    const server = await serve((_seen, res) => {
      res.once('close', closed);
      beginEvents(res);
      sendEvent(res, 'stdout', chunk(0, 'a'), '1-0');
    });
    for await (const event of clientOf(server.url).followOutput('t1')) {
      expect(event.type).toBe('data');
      break;
    }
    await closing;
  });

  it('end with the reason of an abort, also while the daemon is away', async () => {
    const server = await serve(() => undefined);
    await server.stop();
    const reading = clientOf(server.url)
      .followEvents({ signal: AbortSignal.timeout(100) })
      .next();
    await expect(reading).rejects.toMatchObject({ name: 'TimeoutError' });
  });
});
