import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { encodeRange } from '../../src/runtime/output/text-range.js';
import { http } from '../harness/http.js';
import { rangeOf } from './fake-output.js';
import { openSse, serve } from './serve.js';

const BAD = Buffer.from([0x61, 0xff, 0x00, 0xc3]);

describe('a range', () => {
  test('is text, or exact bytes', async () => {
    const { url, service } = await serve();
    service.add('a', { status: 'success', stdout: BAD, stderr: Buffer.from('err') });
    const { get } = http(url);
    const counts = { total_bytes: 4, kept_bytes: 4, omitted_bytes: 0 };
    expect((await get('/api/v1/tasks/a/output')).body).toEqual({
      task_id: 'a',
      stream: 'stdout',
      attempt: 1,
      offset: 0,
      next_offset: 4,
      data: 'a\ufffd\u0000\ufffd',
      ...counts,
      eof: true,
      encoding: 'utf8',
    });
    const exact = await get('/api/v1/tasks/a/output?encoding=base64&offset=1&limit=2');
    expect(exact.body).toMatchObject({
      offset: 1,
      next_offset: 3,
      data: BAD.subarray(1, 3).toString('base64'),
      eof: false,
    });
    expect((await get('/api/v1/tasks/a/output?stream=stderr')).body.data).toBe('err');
    expect((await get('/api/v1/tasks/b/output')).status).toBe(404);
  });

  test('head and tail', async () => {
    const { url, service } = await serve();
    service.add('a', { status: 'success', stdout: Buffer.from('all') });
    const answer = await http(url).get('/api/v1/tasks/a/output?view=head_tail&max_bytes=10&max_lines=5');
    expect(answer.body).toMatchObject({
      task_id: 'a',
      stream: 'stdout',
      head: 'all',
      tail: '',
      omitted_bytes: 0,
    });
    expect(service.asked['outputView']).toEqual(['a', 'stdout', 10, 5]);
    await http(url).get('/api/v1/tasks/a/output?view=head_tail');
    expect(service.asked['outputView']).toEqual(['a', 'stdout', 8_192, 200]);
  });

  test.each([
    'stream=both',
    'limit=0',
    'limit=4194305',
    'offset=-1',
    'encoding=latin1',
    'view=all',
    'max_lines=0',
  ])('%s is refused', async (search) => {
    const answer = await http((await serve()).url).get(`/api/v1/tasks/a/output?${search}`);
    expect(answer.body.error).toMatchObject({ code: 'invalid_input' });
    expect(answer.body.error.message).toContain(search.split('=')[0]);
  });

  test('text that is read piece by piece is the whole text, and no character is cut', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'é', '€', '😀', '\n'), maxLength: 40 });
    fc.assert(
      fc.property(text, fc.integer({ min: 4, max: 9 }), (whole, limit) => {
        const bytes = Buffer.from(whole);
        let read = '';
        let offset = 0;
        for (let eof = false; !eof;) {
          const range = rangeOf('stdout', bytes, undefined, true, offset, limit);
          const piece = encodeRange(range, offset, 'utf8');
          expect(piece.data).not.toContain('\ufffd');
          expect(piece.next_offset).toBe(piece.offset + Buffer.byteLength(piece.data));
          expect(piece.next_offset > offset || range.eof).toBe(true);
          read += piece.data;
          offset = piece.next_offset;
          eof = range.eof;
        }
        expect(read).toBe(whole);
      }),
    );
  });

  test('any bytes are read to their end, whatever is gone', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        fc.nat(60),
        fc.nat(60),
        fc.integer({ min: 4, max: 9 }),
        (b, x, y, limit) => {
          const bytes = Buffer.from(b);
          const [from, to] = [Math.min(x, y, bytes.length), Math.min(Math.max(x, y), bytes.length)];
          let seen = 0;
          let offset = 0;
          for (let eof = false; !eof;) {
            const range = rangeOf('stdout', bytes, from < to ? [from, to] : undefined, true, offset, limit);
            const piece = encodeRange(range, offset, 'utf8');
            expect(piece.offset >= offset && piece.next_offset >= piece.offset).toBe(true);
            expect(bytes.toString('utf8', piece.offset, piece.next_offset)).toBe(piece.data);
            seen += piece.next_offset - piece.offset;
            expect(piece.next_offset > offset || range.eof).toBe(true);
            offset = piece.next_offset;
            eof = range.eof;
          }
          expect(offset).toBe(bytes.length);
          // At most the rest of one character, whose beginning is gone, is left out.
          expect(bytes.length - (to - from) - seen).toBeLessThan(4);
        },
      ),
    );
  });
});

describe('the stream', () => {
  test('follows both streams up to the end', async () => {
    const { url, service } = await serve();
    service.add('a', { stdout: Buffer.from('one ') });
    const sse = await openSse(`${url}/api/v1/tasks/a/output/stream`);
    expect(sse.response.headers['content-type']).toBe('text/event-stream');
    expect(await sse.next()).toEqual({
      id: '4-0',
      event: 'stdout',
      data: { offset: 0, next_offset: 4, data: 'one ' },
    });
    await expect.poll(() => service.waiting).toBe(2);
    service.write('a', 'stderr', 'oops');
    expect(await sse.next()).toEqual({
      id: '4-4',
      event: 'stderr',
      data: { offset: 0, next_offset: 4, data: 'oops' },
    });
    service.write('a', 'stdout', 'two');
    expect((await sse.next())?.data).toEqual({ offset: 4, next_offset: 7, data: 'two' });
    service.finish('a');
    expect(await sse.next()).toEqual({
      id: '7-4',
      event: 'end',
      data: { status: 'success', exit_code: 0, cause: 'exit' },
    });
    expect(await sse.next()).toBeUndefined();
  });

  test('one stream, from an offset, as exact bytes', async () => {
    const { url, service } = await serve();
    service.add('a', { status: 'success', stdout: BAD, stderr: Buffer.from('x') });
    const events = await (
      await openSse(`${url}/api/v1/tasks/a/output/stream?stream=stdout&offset=1&encoding=base64`)
    ).rest();
    expect(events.map((e) => e.event)).toEqual(['stdout', 'end']);
    expect(events[0]?.data).toEqual({ offset: 1, next_offset: 4, data: BAD.subarray(1).toString('base64') });
  });

  test('resumes both streams where the last event left them', async () => {
    const { url, service } = await serve();
    service.add('a', { status: 'success', stdout: Buffer.from('0123456789'), stderr: Buffer.from('abc') });
    const headers = { 'last-event-id': '7-1' };
    const events = await (await openSse(`${url}/api/v1/tasks/a/output/stream?offset=0`, headers)).rest();
    const texts = events
      .filter((e) => e.event !== 'end')
      .map((e) => [e.event, e.data['offset'], e.data['data']]);
    expect(texts.sort()).toEqual([
      ['stderr', 1, 'bc'],
      ['stdout', 7, '789'],
    ]);
    // Everything was sent: resuming after the end tells the end again.
    const again = await (
      await openSse(`${url}/api/v1/tasks/a/output/stream`, { 'last-event-id': '10-3' })
    ).rest();
    expect(again.map((e) => e.event)).toEqual(['end']);
  });

  test('waits with a character until it is complete, but not beyond the end', async () => {
    const { url, service } = await serve();
    service.add('a', { stdout: Buffer.from([0x41, 0xe2]) });
    const sse = await openSse(`${url}/api/v1/tasks/a/output/stream?stream=stdout`);
    expect((await sse.next())?.data).toEqual({ offset: 0, next_offset: 1, data: 'A' });
    await expect.poll(() => service.waiting).toBe(1);
    service.write('a', 'stdout', Buffer.from([0x82, 0xac, 0xe2]));
    expect((await sse.next())?.data).toEqual({ offset: 1, next_offset: 4, data: '€' });
    service.finish('a');
    expect((await sse.next())?.data).toEqual({ offset: 4, next_offset: 5, data: '\ufffd' });
  });

  test('says what was omitted', async () => {
    const { url, service } = await serve();
    service.add('a', { status: 'success', stdout: Buffer.from('headxxxxtail'), gap: [4, 8] });
    const events = await (await openSse(`${url}/api/v1/tasks/a/output/stream?stream=stdout`)).rest();
    expect(events.map((e) => [e.event, e.id, e.data['data'] ?? e.data])).toEqual([
      ['stdout', '4-0', 'head'],
      ['omitted', '8-0', { stream: 'stdout', from: 4, to: 8 }],
      ['stdout', '12-0', 'tail'],
      ['end', '12-0', expect.anything()],
    ]);
  });

  test('an unknown task and a broken id are refused before the stream begins', async () => {
    const { url, service } = await serve();
    const { get } = http(url);
    expect((await get('/api/v1/tasks/a/output/stream')).status).toBe(404);
    service.add('a');
    const bad = await get('/api/v1/tasks/a/output/stream', { 'last-event-id': '12' });
    expect(bad.body.error.message).toContain('last-event-id');
  });

  test('a task that is deleted meanwhile ends the stream with an error', async () => {
    const { url, service } = await serve();
    service.add('a');
    const sse = await openSse(`${url}/api/v1/tasks/a/output/stream`);
    await expect.poll(() => service.waiting).toBe(2);
    service.add('b');
    service.tasks.delete('a');
    service.write('b', 'stdout', 'wakes the others');
    expect(await sse.next()).toMatchObject({ event: 'error', data: { error: { code: 'not_found' } } });
    expect(await sse.next()).toBeUndefined();
  });

  test('silence is filled with comments', async () => {
    const { url, service } = await serve(5);
    service.add('a');
    const sse = await openSse(`${url}/api/v1/tasks/a/output/stream`);
    void sse.next();
    await expect.poll(() => sse.comments).toContain(': heartbeat');
  });

  test('a slow reader holds up nothing but itself', async () => {
    const { url, service } = await serve();
    service.add('a', { status: 'success', stdout: Buffer.alloc(64 * 1_048_576, 'x') });
    let reads = 0;
    const range = service.outputRange.bind(service);
    service.outputRange = (...args) => {
      reads++;
      return range(...args);
    };
    const sse = await openSse(`${url}/api/v1/tasks/a/output/stream?stream=stdout`);
    sse.response.pause();
    // Kernel buffers fill up, and then nothing more is read: far less than the 1,024 pieces there are.
    let before = -1;
    await expect
      .poll(
        () => {
          const settled = reads === before;
          before = reads;
          return settled;
        },
        { interval: 200, timeout: 20_000 },
      )
      .toBe(true);
    expect(reads).toBeLessThan(500);
    expect((await http(url).get('/api/v1/tasks/a/output?limit=4')).body.data).toBe('xxxx');
    sse.response.resume();
    let bytes = 0;
    for (let event = await sse.next(); event?.event === 'stdout'; event = await sse.next())
      bytes += (event.data['data'] as string).length;
    expect(bytes).toBe(64 * 1_048_576);
  });

  test('a reader that goes away leaves nothing behind', async () => {
    const { url, service } = await serve();
    service.add('a');
    const sse = await openSse(`${url}/api/v1/tasks/a/output/stream`);
    await expect.poll(() => service.waiting).toBe(2);
    sse.close();
    await expect.poll(() => service.waiting).toBe(0);
    expect(service.watching).toBe(0);
  });

  test('each stream is watched once, however many pieces it comes in', async () => {
    const { url, service } = await serve();
    service.add('a');
    const sse = await openSse(`${url}/api/v1/tasks/a/output/stream?stream=stdout`);
    const watch = vi.spyOn(service, 'watchOutput');
    for (const piece of ['one', 'two', 'three']) {
      await expect.poll(() => service.waiting).toBe(1);
      service.write('a', 'stdout', piece);
      expect((await sse.next())?.data).toMatchObject({ data: piece });
    }
    service.finish('a');
    expect((await sse.next())?.event).toBe('end');
    expect(watch.mock.calls.length).toBeLessThanOrEqual(1);
    expect(service.watching).toBe(0);
  });
});
