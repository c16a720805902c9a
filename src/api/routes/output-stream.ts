import type { Request } from 'express';
import { z } from 'zod';
import type { OutputWatch } from '../../runtime/service.js';
import type { OutputStream } from '../../task/output.js';
import { ExecgoError, invalidInput } from '../../task/errors.js';
import type { ApiContext } from '../context.js';
import { encodeRange, type Encoding } from '../output-text.js';
import { oneOf, parseQuery, taskIdOf, wholeNumber } from '../query.js';
import type { Route } from '../route.js';
import { openSse, type SseStream } from '../sse.js';

/** Most bytes in one event. */
const CHUNK_BYTES = 65_536;

const query = z.object({
  stream: oneOf(['stdout', 'stderr', 'both'], 'Which stream.').default('both'),
  attempt: wholeNumber({
    description: 'The attempt to begin with; the last one by default. Those after it follow.',
    min: 1,
  }).optional(),
  offset: wholeNumber({
    description: 'First byte, of each stream that is asked for, of that attempt; 0 by default.',
  }).default(0),
  encoding: oneOf(['utf8', 'base64'], 'Text, or the exact bytes.').default('utf8'),
});

/** Streams a task's output as it is written, until the task ends. */
export const outputStream: Route = {
  method: 'get',
  path: '/api/v1/tasks/:id/output/stream',
  doc: {
    summary: "A task's output as it comes; events stdout, stderr, omitted, attempt, end, error",
    query,
    headers: { 'last-event-id': 'Id of the last event seen; goes before offset.' },
    answers: {},
    events: {
      stdout: 'OutputChunk',
      stderr: 'OutputChunk',
      omitted: 'OutputGap',
      attempt: 'OutputAttempt',
      end: 'TaskEnd',
      error: 'ErrorAnswer',
    },
    errors: ['invalid_input', 'not_found'],
  },
  handle: async (ctx, req, res) => {
    const taskId = taskIdOf(req);
    const { stream, attempt, offset, encoding } = parseQuery(query, req);
    const streams: OutputStream[] = stream === 'both' ? ['stdout', 'stderr'] : [stream];
    const at = lastPlace(req) ?? {
      attempt: attempt ?? ctx.service.lastAttempt(taskId),
      stdout: offset,
      stderr: offset,
    };
    // Errors such as an unknown task must be found before the answer begins: after that they cannot be told by a status
    // code.
    for (const name of streams) await ctx.service.outputRange(taskId, name, at[name], 1, at.attempt);
    const sse = openSse(res, ctx.heartbeatMs);
    if (sse === undefined) return;
    const signal = ctx.waiters.signal(res);
    try {
      await followAttempts({ ctx, sse, taskId, encoding, at, signal }, streams);
      if (!signal.aborted)
        await sse.send({ id: eventId(at), event: 'end', data: ctx.service.ending(taskId) });
    } catch (error) {
      if (!signal.aborted) await sendFailure(ctx, sse, error);
    }
    sse.end();
  },
};

/** An attempt, and an offset in each of its streams. */
type Place = { attempt: number } & Record<OutputStream, number>;

interface Pump {
  ctx: ApiContext;
  sse: SseStream;
  taskId: string;
  encoding: Encoding;
  /** Where to go on; the ids of events are made of it. */
  at: Place;
  signal: AbortSignal;
}

/** One attempt after the other, until the task has ended. */
async function followAttempts(pump: Pump, streams: readonly OutputStream[]): Promise<void> {
  const { ctx, sse, taskId, at, signal } = pump;
  for (;;) {
    await Promise.all(streams.map((name) => follow(pump, name)));
    if (signal.aborted) return;
    const next = await ctx.service.nextAttempt(taskId, at.attempt, signal);
    if (next === undefined) return;
    Object.assign(at, { attempt: next, stdout: 0, stderr: 0 });
    await sse.send({ id: eventId(at), event: 'attempt', data: { attempt: next } });
  }
}

async function follow(pump: Pump, stream: OutputStream): Promise<void> {
  let watch: OutputWatch | undefined;
  const grown = (offset: number) => {
    watch ??= pump.ctx.service.watchOutput(pump.taskId, stream, pump.at.attempt, pump.signal);
    return watch.growth(offset);
  };
  try {
    await sendAll(pump, stream, grown);
  } finally {
    watch?.close();
  }
}

/** @param grown resolves when there is more output */
async function sendAll(
  { ctx, sse, taskId, encoding, at, signal }: Pump,
  stream: OutputStream,
  grown: (offset: number) => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    const asked = at[stream];
    const range = await ctx.service.outputRange(taskId, stream, asked, CHUNK_BYTES, at.attempt);
    const piece = encodeRange(range, asked, encoding);
    if (piece.offset > asked && range.omitted_bytes > 0) {
      at[stream] = piece.offset;
      await sse.send({
        id: eventId(at),
        event: 'omitted',
        data: { stream, from: asked, to: piece.offset, reason: range.warnings?.[0] },
      });
    }
    if (piece.next_offset > piece.offset) {
      at[stream] = piece.next_offset;
      await sse.send({ id: eventId(at), event: stream, data: piece });
    }
    if (range.eof) return;
    if (piece.next_offset <= piece.offset) await grown(range.next_offset);
  }
}

/** The first attempt is left out, as before there were others. */
function eventId({ attempt, stdout, stderr }: Place): string {
  return `${attempt === 1 ? '' : `${attempt}:`}${stdout}-${stderr}`;
}

function lastPlace(req: Request): Place | undefined {
  const id = req.get('last-event-id');
  if (id === undefined || id === '') return undefined;
  const [, first = '1', ...rest] = /^(?:([1-9]\d*):)?(\d+)-(\d+)$/.exec(id) ?? [];
  const [attempt = NaN, stdout = NaN, stderr = NaN] = [first, ...rest].map(Number);
  if (![attempt, stdout, stderr].every(Number.isSafeInteger))
    throw invalidInput('last-event-id: must be the id of an event of this stream');
  return { attempt, stdout, stderr };
}

/** The answer has begun, so its status code cannot tell the error any more. */
async function sendFailure(ctx: ApiContext, sse: SseStream, error: unknown): Promise<void> {
  const known = error instanceof ExecgoError;
  if (!known) ctx.log.error({ err: error }, 'output stream failed');
  await sse.send({
    event: 'error',
    data: { error: known ? error.toBody() : { code: 'internal', message: 'internal error' } },
  });
}
