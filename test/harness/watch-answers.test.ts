import { createServer, type RequestListener } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ExecgoClient } from '../../src/client/index.js';
import { examples } from '../../src/task/examples.js';
import { complaintAboutRefusals } from './check-answer.js';
import { complaintAboutPrinted } from './check-printed.js';
import { http, waitFor } from './index.js';
import { AnswerWatch } from './watch-answers.js';

/** A server that answers as it likes, watched where its answers are read and where they are sent. */
async function watched(handler: RequestListener) {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const [read, sent] = [new AnswerWatch(), new AnswerWatch()];
  read.readFrom(`http://127.0.0.1:${port}`);
  sent.sentBy(server);
  const complaints = async () => [await read.complaints(), await sent.complaints()];
  return { url: `http://127.0.0.1:${port}`, port, complaints, sent };
}

/** Answers this value as JSON. */
const answering = (value: unknown, status = 200): RequestListener => {
  return (_req, res) => {
    res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  };
};

const STATUS = '/api/v1/tasks/build-17';

test('what is as specified is no matter', async () => {
  const { url, complaints } = await watched(answering(examples.TaskView));
  await http(url).get(STATUS);
  await http(url).request('HEAD', '/no/such/route');
  expect(await complaints()).toEqual([[], []]);
});

test.each<[what: string, handler: RequestListener, path: string, word: string]>([
  ['a field that is missing', answering({ ...examples.TaskView, queue: undefined }), STATUS, 'queue'],
  ['a field that nobody knows', answering({ ...examples.TaskView, surprise: 1 }), STATUS, 'surprise'],
  ['a code with another status', answering(examples.ErrorAnswer, 400), STATUS, 'not_found is 404'],
  [
    'a code that the route does not have',
    answering({ error: { code: 'conflict', message: '' } }, 409),
    STATUS,
    'not among',
  ],
  ['a refusal in another form', answering('no', 404), STATUS, 'object'],
  ['another content type', (_req, res) => res.end('{}'), STATUS, 'content type'],
  ['an answer where there is no route', answering({}), '/api/v2/tasks', 'no such route'],
  ['text that is no JSON', (_req, res) => answerText(res, '{'), STATUS, 'JSON'],
])('%s is told, by whom it is read and by whom it is sent', async (_what, handler, path, word) => {
  const { url, complaints } = await watched(handler);
  await new Promise<void>((resolve, reject) => {
    void http(url)
      .open(path)
      .then((answer) => answer.resume().on('end', resolve).on('error', reject));
  });
  const [read, sent] = await complaints();
  for (const said of [read, sent]) expect(said).toEqual([expect.stringMatching(`GET ${path} [^]*${word}`)]);
});

function answerText(res: Parameters<RequestListener>[1], text: string): void {
  res.writeHead(200, { 'content-type': 'application/json' }).end(text);
}

test('the answers that the typed client reads are looked at', async () => {
  const { url, complaints } = await watched(answering({ tasks: [{ task_id: 'a', status: 'done' }] }));
  const client = new ExecgoClient({ server: url });
  expect((await client.list()).tasks).toHaveLength(1);
  client.close();
  expect((await complaints())[0]).toEqual([expect.stringContaining('TaskPage')]);
});

test.each([
  ['/api/v1/tasks', { tasks: [{ task_id: 'a' }] }, 'TaskPage'],
  ['/api/v1/tasks?changed_after=0', { tasks: [{ task_id: 'a' }], deleted: [], version: 1 }, 'ChangesPage'],
  ['/api/v1/tasks?changed_after=0', { tasks: [] }, 'ChangesPage'],
  ['/api/v1/tasks?fields=status', { tasks: [{ task_id: 'a' }] }, undefined],
  ['/api/v1/tasks?fields=status', { tasks: [{ status: 'running' }] }, 'PartialTaskPage'],
])('a part of a task passes only for who has asked for no more: %s', async (path, body, complaint) => {
  const { url, complaints } = await watched(answering(body));
  await http(url).get(path);
  const said = complaint === undefined ? [] : [expect.stringContaining(complaint)];
  expect((await complaints())[0]).toEqual(said);
});

describe('events', () => {
  const streaming = (...blocks: string[]): RequestListener => {
    return (_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const block of blocks) res.write(block);
    };
  };
  const chunk = `event: stdout\ndata: ${JSON.stringify(examples.OutputChunk)}\n\n`;

  test.each([
    ['as specified', [': heartbeat\n\n', 'id: 0-0\n\n', chunk, 'event: stdout\ndata: {"off'], undefined],
    ['one of another name', [chunk, 'event: stdin\ndata: {}\n\n'], 'no event stdin'],
    ['one of another shape', [chunk, 'event: end\ndata: {"status":"done"}\n\n'], 'event end: TaskEnd'],
  ])('of a stream that goes on: %s', async (_what, blocks, word) => {
    const { url, complaints } = await watched(streaming(...blocks));
    const answer = await http(url).open(`${STATUS}/output/stream`);
    let text = '';
    for await (const piece of answer) {
      text += piece as string;
      if (text === blocks.join('')) break;
    }
    const expected = word === undefined ? [] : [expect.stringContaining(word)];
    expect(await complaints()).toEqual([expected, expected]);
  });
});

test('what is sent over a connection that speaks for itself is looked at', async () => {
  const { port, sent } = await watched(answering({ ok: true }));
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(2));
  const complaints = await waitFor(async () => {
    const said = await sent.complaints();
    return said.length === 2 ? said : undefined;
  });
  expect(complaints[1]).toMatch(/^GET \/healthz was answered with 200, and not as specified: Health/);
});

test('refusals are found among whatever came over a connection', async () => {
  const refusal = (status: number, body: unknown) => {
    const text = JSON.stringify(body);
    return `HTTP/1.1 ${status} X\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
  };
  const good = refusal(404, { error: { code: 'not_found', message: 'é' } });
  const head = 'HTTP/1.1 400 X\r\ncontent-length: 90\r\n\r\n';
  const received = (...texts: string[]) => complaintAboutRefusals(Buffer.from(texts.join('')));
  expect(await received('HTTP/1.1 100 Continue\r\n\r\n', good, head, good)).toBeUndefined();
  expect(await received(good, refusal(400, { error: 'no' }))).toContain('expected object');
  expect(await received(good, refusal(500, { error: { code: 'not_found', message: '' } }))).toContain('404');
});

describe('what a command prints as JSON is what the API answers', () => {
  const [view, refusal] = [JSON.stringify(examples.TaskView), JSON.stringify(examples.ErrorAnswer)];

  test.each([
    [['status', 'a'], view],
    [['wait', 'a', 'b'], `[${view},${view}]`],
    [['run', '-o', 'json', '--', 'x'], view],
    [['submit', '--json', '{}'], refusal],
    [['events'], ''],
    [['list', '--help'], 'Usage'],
    [['list', '--changed-after', '0'], JSON.stringify(examples.ChangesPage)],
    [['run', '--', 'cat', '--json'], '{}'],
    [['run', '--json', '{}', '-o', 'stream'], '{}'],
  ])('%j', async (args, stdout) => {
    expect(await complaintAboutPrinted(args, stdout)).toBeUndefined();
  });

  test.each([
    [['status', 'a'], '{"task_id":"a"}'],
    [['wait', 'a', 'b'], `[${view},{}]`],
    [['run', '--output', 'json', 'x'], '{}'],
    [['submit', '--file', '-'], view],
    [['events'], '{"seq":1}\n{"seq":2}\n'],
    [['list', '--all'], '[]x'],
    [['list', '--changed-after=0'], '{"tasks":[]}'],
    [['gc', '--json'], '{}'],
  ])('%j printing %s is told', async (args, stdout) => {
    expect(await complaintAboutPrinted(args, stdout)).toContain(`execgo ${args.join(' ')} printed:`);
  });
});
