import { expect, test } from 'vitest';
import { routes } from '../../src/api/routes/routes.js';
import { http } from '../harness/http.js';
import { raw, serve } from './serve.js';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'BREW'];
const ACCEPTS = [
  undefined,
  '*/*',
  'application/json',
  'text/event-stream',
  'text/html',
  'application/octet-stream',
  ';q=,,/text//*;;\u00ff',
];
/** What tells that the connection was used again for the probe that follows every request. */
const PROBE = 'GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-probe: 1\r\n\r\n';
const PROBE_ANSWER = '{"status":"ok","version":"1.2.3"}';

const paths = [...new Set(routes.map(({ path }) => path))];
/** A task may be called so, too. */
const NAMES = ['batch', 'actions'];
const NAMED = NAMES.map((name) => `/api/v1/tasks/${name}`);
const allowed = (path: string) => {
  const of = NAMED.includes(path) ? [path, '/api/v1/tasks/:id'] : [path];
  const methods = routes.filter((r) => of.includes(r.path)).map(({ method }) => method.toUpperCase());
  return methods.includes('GET') ? [...methods, 'HEAD'] : methods;
};

interface Case {
  method: string;
  path: string;
  accept: string | undefined;
}

const cases: Case[] = paths.flatMap((path) =>
  METHODS.flatMap((method) => ACCEPTS.map((accept) => ({ method, path, accept }))),
);

/** True for the one answer that has no end of its own. */
const isEndless = ({ method, path, accept }: Case) =>
  method === 'GET' && path === '/api/v1/events' && accept === 'text/event-stream';

function requestOf({ method, path, accept }: Case): string {
  const head = accept === undefined ? '' : `accept: ${accept}\r\n`;
  return `${method} ${path.replace(/:\w+/, 'done')} HTTP/1.1\r\nhost: localhost\r\n${head}content-length: 0\r\n\r\n`;
}

test('every method of every path, whatever is accepted, has an answer and leaves the connection usable', async () => {
  const { port, service, logged } = await serve();
  const check = async (one: Case) => {
    service.sessions.add('done');
    service.rules.set('done', { paused: false, priority: 0, default_limits: {}, lanes: {} });
    for (const id of ['done', ...NAMES])
      service.add(id, { status: 'success', stdout: Buffer.from('output') });
    const endless = isEndless(one);
    const answer = await raw(
      port,
      `${requestOf(one)}${endless ? '' : PROBE}`,
      endless ? '\r\n\r\n' : PROBE_ANSWER,
    );
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);
    const [head = ''] = answer.split('\r\n\r\n');
    const what = `${JSON.stringify(one)}: ${answer}`;
    if (one.method === 'BREW') {
      // No method that HTTP knows: the parser refuses it, and with it the connection.
      expect(status, what).toBe(400);
      return;
    }
    const methods = allowed(one.path);
    if (methods.includes(one.method)) {
      // A submit without a body is refused for that, a wait for no task and a delete of no time, too, and a task that has ended
      // cannot be paused.
      expect([200, 400, 409, 415], what).toContain(status);
    } else {
      expect(status, what).toBe(405);
      expect(/^allow: (.*)$/im.exec(head)?.[1]?.split(', ').sort(), what).toEqual(methods.sort());
    }
    if (!endless) expect(answer, what).toContain(one.method === 'TRACE' ? '405' : PROBE_ANSWER);
    expect(/^content-type: text\/event-stream/im.test(answer), what).toBe(
      endless || (status === 200 && one.path.endsWith('/stream')) || isHeadOfStream(one),
    );
  };
  for (const one of cases) await check(one);
  expect(logged.filter((line) => Number(line['level']) >= 40)).toEqual([]);
  expect(service.waiting + service.watching).toBe(0);
});

const isHeadOfStream = ({ method, path, accept }: Case) =>
  method === 'HEAD' && path === '/api/v1/events' && accept === 'text/event-stream';

test('HEAD of a stream ends with its headers, at once and behind another request', async () => {
  const { port, service, url } = await serve();
  service.add('runs', { stdout: Buffer.from('x') });
  for (const path of ['/api/v1/events', '/api/v1/tasks/runs/output/stream']) {
    const head = `HEAD ${path} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n`;
    expect(await raw(port, `${head}${head}${PROBE}`, PROBE_ANSWER)).toMatch(
      /^(HTTP\/1\.1 200 OK\r\ncontent-type: text\/event-stream[^]*?\r\n\r\n){2}HTTP\/1\.1 200 OK\r\ncontent-type: application/,
    );
  }
  expect(service.waiting + service.watching).toBe(0);
  expect((await http(url).get('/healthz')).status).toBe(200);
});
