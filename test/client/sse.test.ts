import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SseParser, type ServerSentEvent } from '../../src/client/sse.js';

function parse(...chunks: (string | Uint8Array)[]): ServerSentEvent[] {
  const parser = new SseParser();
  return chunks.flatMap((c) => parser.push(typeof c === 'string' ? Buffer.from(c) : c));
}

describe('SseParser', () => {
  it('reads event, data and id', () => {
    expect(parse('id: 7\nevent: stdout\ndata: {"a":1}\n\n')).toEqual([
      { id: '7', event: 'stdout', data: '{"a":1}' },
    ]);
  });

  it('names an event without name "message" and keeps the last id', () => {
    expect(parse('id: 7\ndata: a\n\ndata: b\n\n')).toEqual([
      { id: '7', event: 'message', data: 'a' },
      { id: '7', event: 'message', data: 'b' },
    ]);
  });

  it('joins data lines and drops one space only', () => {
    expect(parse('data:  a\ndata:b\ndata\n\n')[0]?.data).toBe(' a\nb\n');
  });

  it('skips comments, unknown fields and events without data', () => {
    expect(parse(': ping\n\nevent: x\n\nretry: 5\nfoo: bar\ndata: y\n\n')).toEqual([
      { id: '', event: 'message', data: 'y' },
    ]);
  });

  it('ignores a byte order mark and an id with NUL', () => {
    expect(parse('\ufeffid: a\0b\ndata: x\n\n')).toEqual([{ id: '', event: 'message', data: 'x' }]);
  });

  it('does not give out an unfinished event', () => {
    expect(parse('data: x\n')).toEqual([]);
  });

  it('knows an id that came without data', () => {
    const parser = new SseParser();
    expect(parser.push(Buffer.from('id: 12\n\n'))).toEqual([]);
    expect(parser.lastEventId).toBe('12');
  });

  it('gives the same events however the bytes are cut, with any line end', () => {
    const word = fc.string({ unit: 'binary', maxLength: 8 }).map((s) => s.replace(/[\r\n\0]/g, ''));
    const event = fc.record({ id: word, event: word, data: fc.array(word, { minLength: 1, maxLength: 3 }) });
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 5 }),
        fc.constantFrom('\n', '\r', '\r\n'),
        fc.array(fc.nat(200), { maxLength: 12 }),
        (events, eol, cuts) => {
          const lines = events.flatMap((e) => [
            `id: ${e.id}`,
            `event: ${e.event}`,
            ...e.data.map((d) => `data: ${d}`),
            '',
          ]);
          const bytes = Buffer.from(lines.map((line) => line + eol).join(''));
          const edges = [
            0,
            ...cuts.map((c) => Math.min(c, bytes.length)).sort((a, b) => a - b),
            bytes.length,
          ];
          const parts = edges.slice(1).map((edge, i) => bytes.subarray(edges[i], edge));
          const utf8 = (s: string): string => Buffer.from(s).toString('utf8');
          expect(parse(...parts)).toEqual(
            events.map((e) => ({
              id: utf8(e.id),
              event: e.event === '' ? 'message' : utf8(e.event),
              data: utf8(e.data.join('\n')),
            })),
          );
        },
      ),
    );
  });
});
