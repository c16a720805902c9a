import type { IncomingMessage } from 'node:http';
import { ExecgoConnectionError } from './errors.js';
import type { HttpTransport } from './http.js';
import { Patience } from './retry.js';
import { SseParser, type ServerSentEvent } from './sse.js';

export interface FollowOptions {
  path: string;
  query: Record<string, string | number | undefined>;
  /** How long the daemon may be out of reach without interruption, in milliseconds. */
  reconnectMs: number;
  signal?: AbortSignal | undefined;
}

/**
 * Reads server-sent events; after a lost connection it goes on where it was, by `Last-Event-ID`. Ends only when the caller
 * stops reading, and reads no faster than the caller does.
 * @throws ExecgoApiError, ExecgoConnectionError when the daemon stays away, the signal's reason when it aborts.
 */
export async function* follow(
  http: HttpTransport,
  options: FollowOptions,
): AsyncGenerator<ServerSentEvent, never> {
  const patience = new Patience(options.reconnectMs);
  let lastId = '';
  for (;;) {
    try {
      const response = await http.stream({
        method: 'GET',
        path: options.path,
        query: options.query,
        headers: { accept: 'text/event-stream', ...(lastId === '' ? {} : { 'last-event-id': lastId }) },
        repeatable: true,
        signal: options.signal,
      });
      patience.reached();
      const parser = new SseParser();
      for await (const events of batchesOf(http, response, parser)) {
        for (const event of events) {
          patience.progressed();
          if (event.id !== '') lastId = event.id;
          yield event;
        }
        if (parser.lastEventId !== '') lastId = parser.lastEventId;
      }
      throw new ExecgoConnectionError(`${http.server} ended the stream`, 'ECONNRESET');
    } catch (error) {
      await patience.afterFailure(error, options.signal);
    }
  }
}

async function* batchesOf(
  http: HttpTransport,
  response: IncomingMessage,
  parser: SseParser,
): AsyncGenerator<ServerSentEvent[]> {
  const chunks = response[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
  try {
    for (;;) {
      const chunk = await chunks.next().catch((error: unknown) => {
        throw http.lost(error);
      });
      if (chunk.done === true) return;
      yield parser.push(chunk.value);
    }
  } finally {
    response.destroy();
  }
}
