import net from 'node:net';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { JsonMeter } from '../../src/api/json-bounds.js';
import { checkShape } from '../../src/task/shape.js';
import { http } from '../harness/http.js';
import { waitFor } from '../harness/wait.js';
import { serve } from './serve.js';

const JSON_TYPE = { 'content-type': 'application/json' };
const EXECUTION = '"execution":{"kind":"command","program":"true"}';

function nested(levels: number, open: string, close: string): string {
  return `${open.repeat(levels)}1${close.repeat(levels)}`;
}

const many = (count: number, item: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => item(i)).join(',');

/** What is too large of a body, and what the refusal says. Each is a value of an unknown field. */
const TOO_MUCH: [name: string, value: string, says: string][] = [
  ['objects in objects', nested(100_000, '{"a":', '}'), 'is nested more than 64 levels deep'],
  ['arrays in arrays', nested(400_000, '[', ']'), 'is nested more than 64 levels deep'],
  ['both in turn', nested(65_000, '[{"a":', '}]'), 'is nested more than 64 levels deep'],
  ['one level too many', nested(64, '[', ']'), 'is nested more than 64 levels deep'],
  ['keys', `{${many(10_001, (i) => `"${i}":1`)}}`, 'has more than 10000 keys'],
  ['keys far apart', `[${many(10_001, () => '{"a":1}')}]`, 'has more than 10000 keys'],
  ['values', `[${many(50_001, () => '1')}]`, 'has more than 50000 values'],
];

describe('a submit', () => {
  test.each(TOO_MUCH)('%s: refused before anything is made of it', async (_name, value, says) => {
    const { url, service } = await serve();
    const answer = await http(url).post('/api/v1/tasks', `{${EXECUTION},"x":${value}}`, JSON_TYPE);
    expect(answer.status).toBe(400);
    expect(answer.body.error).toMatchObject({
      code: 'invalid_input',
      message: `invalid input: body: ${says}`,
    });
    expect(service.asked['submit']).toBeUndefined();
  });

  test('what is within the bounds passes, whatever stands in its texts', async () => {
    const { url } = await serve();
    const text = JSON.stringify('[{":,\\"\u2028'.repeat(20_000));
    const deep = nested(63, '[', ']');
    const body = `{${EXECUTION},"metadata":{${many(5_000, (i) => `"${i}":"v"`)},"t":${text}},"x":${deep},"y":[${many(30_000, () => '1')}]}`;
    expect((await http(url).post('/api/v1/tasks', body, JSON_TYPE)).status).toBe(200);
  });

  test('broken JSON is told as such', async () => {
    const { url } = await serve();
    for (const body of [']]]]', '{"a"', '"\\', nested(30, '[', '')])
      expect((await http(url).post('/api/v1/tasks', body, JSON_TYPE)).body.error.message).toContain(
        'not valid JSON',
      );
  });
});

describe('a batch', () => {
  const post = async (body: string) => {
    const { url } = await serve();
    return http(url).post('/api/v1/tasks/batch', body, JSON_TYPE);
  };

  test('is bounded as a whole', async () => {
    const item = `{${EXECUTION},"x":${nested(1_000, '[', ']')}}`;
    const deep = await post(`{"tasks":[${many(1_000, () => item)}]}`);
    expect([deep.status, deep.body.error.message]).toEqual([
      400,
      'invalid input: body: is nested more than 66 levels deep',
    ]);
    const keys = await post(`{"tasks":[],"x":[${many(250_001, () => '{"a":1}')}]}`);
    expect(keys.body.error.message).toContain('has more than 250000 keys');
    const values = await post(`{"tasks":[],"x":[${many(500_001, () => '1')}]}`);
    expect(values.body.error.message).toContain('has more than 500000 values');
  });

  test('each of its items is bounded as a submit is', async () => {
    const tooMany = `{${EXECUTION},"x":{${many(10_001, (i) => `"${i}":1`)}}}`;
    const answer = await post(`{"tasks":[{${EXECUTION}},${tooMany}]}`);
    expect(answer.status).toBe(200);
    expect(answer.body[0].status).toBe('accepted');
    expect(answer.body[1].error.message).toBe('invalid input: body: has more than 10000 keys');
  });
});

test('what is measured byte by byte is what the parser makes of it', () => {
  const measure = (value: unknown): { depth: number; keys: number; values: number } => {
    if (typeof value !== 'object' || value === null) return { depth: 0, keys: 0, values: 1 };
    const inner = Object.values(value).map(measure);
    return {
      depth: 1 + Math.max(0, ...inner.map(({ depth }) => depth)),
      keys: (Array.isArray(value) ? 0 : inner.length) + inner.reduce((sum, { keys }) => sum + keys, 0),
      values: 1 + inner.reduce((sum, { values }) => sum + values, 0),
    };
  };
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.integer({ min: 1, max: 9 }), (value, size) => {
      const text = Buffer.from(JSON.stringify(value));
      const read = (bounds: { depth: number; keys: number; values: number }) => {
        const meter = new JsonMeter({ bytes: text.length, ...bounds });
        for (let at = 0; at < text.length; at += size) meter.read(text.subarray(at, at + size));
      };
      const { depth, keys, values } = measure(value);
      // An opening and a comma count a value each, so that an empty array counts as having one.
      read({ depth, keys, values: 2 * values });
      if (depth > 0)
        expect(() => read({ depth: depth - 1, keys, values: 2 * values })).toThrow('levels deep');
      if (keys > 0) expect(() => read({ depth, keys: keys - 1, values: 2 * values })).toThrow('keys');
      expect(() => read({ depth, keys, values: values - 1 })).toThrow('values');
    }),
  );
});

test('a key that is lost in copies is refused wherever it stands, by its path', () => {
  const parsed = (json: string): unknown => JSON.parse(json);
  expect(() => checkShape(parsed('{"a":{"b":[{"\\u005f_proto__":1}]}}'))).toThrow(
    'invalid input: a.b.0.__proto__: this key cannot be used',
  );
  let deep: unknown = 1;
  for (let i = 0; i < 100_000; i++) deep = { deep };
  expect(() => checkShape(deep)).toThrow('nested more than 64 levels deep');
});

describe('the bodies of all requests together', () => {
  const MIB = 1_048_576;

  /** Sends the head and a part of a body, and stays until the test has finished. */
  function halfSent(port: number, bytes: number, path = '/api/v1/tasks/batch') {
    const held = { received: '', close: () => void socket.destroy() };
    const socket = net.connect(port, '127.0.0.1');
    onTestFinished(held.close);
    socket.on('error', () => undefined);
    socket.setEncoding('utf8').on('data', (chunk: string) => (held.received += chunk));
    socket.write(
      `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${2 * bytes}\r\n\r\n`,
    );
    socket.write(`"${'x'.repeat(bytes - 1)}`);
    return { held, socket };
  }

  test('hold no more than they may; a small one finds room, a status is never refused', async () => {
    const { port, url, service } = await serve(undefined, { maxBodyBytes: 4 * MIB });
    service.add('runs');
    const first = Array.from({ length: 3 }, () => halfSent(port, MIB));
    const refused = await waitFor(async () => {
      const answer = await http(url).post('/api/v1/tasks/batch', `"${'x'.repeat(3 * MIB)}"`, JSON_TYPE);
      return answer.status === 503 ? answer : undefined;
    });
    expect(refused.headers['retry-after']).toBe('1');
    expect(refused.body.error).toMatchObject({ code: 'unavailable' });
    expect((await http(url).post('/api/v1/tasks', `{${EXECUTION}}`, JSON_TYPE)).status).toBe(200);
    expect((await http(url).get('/api/v1/tasks/runs')).status).toBe(200);
    expect((await http(url).get('/healthz')).status).toBe(200);
    for (const { held } of first) expect(held.received).toBe('');
    // What has gone gives its room back.
    for (const { held } of first) held.close();
    await waitFor(async () => {
      const answer = await http(url).post(
        '/api/v1/tasks/batch',
        `{"tasks":[],"x":"${'x'.repeat(3 * MIB)}"}`,
        JSON_TYPE,
      );
      return answer.status === 200;
    });
  });

  test('one that has been coming for too long leaves for others, and is told so', async () => {
    const { port, url, service } = await serve(undefined, { maxBodyBytes: 4 * MIB, bodyPatienceMs: 0 });
    const slow = Array.from({ length: 3 }, () => halfSent(port, MIB));
    // Once their bytes have come, a body that needs the room of two of them gets it.
    const answer = await waitFor(async () => {
      const body = `{"tasks":[],"x":"${'x'.repeat(3 * MIB)}"}`;
      const { status } = await http(url).post('/api/v1/tasks/batch', body, JSON_TYPE);
      return slow.some(({ held }) => held.received !== '') ? status : undefined;
    });
    expect(answer).toBe(200);
    const refused = slow.filter(({ held }) => held.received !== '');
    for (const { held } of refused)
      expect(held.received).toMatch(/^HTTP\/1\.1 503 [^]*connection: close[^]*"code":"unavailable"/i);
    expect(service.asked['submitBatch']).toBeDefined();
  });
});
