import http, { type IncomingMessage } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import pino from 'pino';
import { onTestFinished } from 'vitest';
import { createApp } from '../../src/api/app.js';
import { listen, stop } from '../../src/api/server.js';
import { Connections } from '../../src/api/connections.js';
import { Waiters } from '../../src/api/waiters.js';
import { complaintAboutRefusals } from '../harness/check-answer.js';
import { type AnswerWatch, watchAnswers } from '../harness/watch-answers.js';
import { FakeService } from './fake-service.js';

/** Port → who watches what comes from there. */
const watches = new Map<number, AnswerWatch>();

/**
 * The HTTP side over a fake service, on a port of its own until the test has finished. The test fails when an answer was not
 * as specified, unless it says that it is about such as no daemon gives.
 */
export async function serve(
  heartbeatMs?: number,
  {
    maxConnections = 1_000,
    maxBodyBytes = 134_217_728,
    bodyPatienceMs = 10_000,
    unreadMs = 60_000,
    likeADaemon = true,
  }: {
    maxConnections?: number;
    maxBodyBytes?: number;
    bodyPatienceMs?: number;
    unreadMs?: number;
    likeADaemon?: boolean;
  } = {},
) {
  const service = new FakeService();
  const connections = new Connections(maxConnections);
  const waiters = new Waiters(connections);
  const logged: Record<string, unknown>[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => logged.push(JSON.parse(line)) });
  const app = createApp({
    service,
    version: '1.2.3',
    allowedHosts: ['my-host', 'Other.Example'],
    log,
    waiters,
    connections,
    maxBodyBytes,
    bodyPatienceMs,
    heartbeatMs,
  });
  const server = await listen(app, { host: '127.0.0.1', port: 0 }, { connections, log, unreadMs });
  const watch = watchAnswers();
  if (likeADaemon) watch.sentBy(server);
  let stopped: Promise<void> | undefined;
  const stopOnce = () => (stopped ??= stop(server, waiters, 1_000));
  onTestFinished(stopOnce);
  const { port } = server.address() as AddressInfo;
  watches.set(port, watch);
  return { service, app, server, waiters, logged, port, url: `http://127.0.0.1:${port}`, stop: stopOnce };
}

/** Sends bytes as they are and returns all that comes back until the server closes, or `until` is there. */
export function raw(port: number, text: string | Buffer, until?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
      if (until !== undefined && answer.includes(until)) socket.destroy();
    });
    socket.on('close', () => {
      // What is no request is refused by no route.
      watches.get(port)?.check(complaintAboutRefusals(Buffer.from(answer)));
      resolve(answer);
    });
    socket.on('error', (error) => (answer === '' ? reject(error) : resolve(answer)));
  });
}

export interface SseEvent {
  id?: string;
  event?: string;
  /** A test says what it expects in it. */
  data: Record<string, unknown>;
}

/** An open stream of server-sent events. */
export interface SseReader {
  response: IncomingMessage;
  /** The next event; undefined at the end. */
  next: () => Promise<SseEvent | undefined>;
  /** All events up to the end. */
  rest: () => Promise<SseEvent[]>;
  comments: string[];
  /** Ids that came alone: where to resume before the first event. */
  positions: string[];
  close: () => void;
}

/** Opens a stream of server-sent events; closed after the test. */
export async function openSse(url: string, headers: Record<string, string> = {}): Promise<SseReader> {
  const request = http.get(url, { agent: false, headers: { accept: 'text/event-stream', ...headers } });
  request.on('error', () => undefined);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
  });
  response.on('error', () => undefined);
  onTestFinished(() => void request.destroy());
  const comments: string[] = [];
  const positions: string[] = [];
  const events = parse(response.setEncoding('utf8'), comments, positions);
  const next = async () => {
    const { value, done } = await events.next();
    return done === true ? undefined : value;
  };
  const rest = async () => {
    const all: SseEvent[] = [];
    for (let event = await next(); event !== undefined; event = await next()) all.push(event);
    return all;
  };
  return { response, next, rest, comments, positions, close: () => void request.destroy() };
}

async function* parse(
  response: IncomingMessage,
  comments: string[],
  positions: string[],
): AsyncGenerator<SseEvent> {
  let text = '';
  try {
    for await (const chunk of response) {
      text += chunk as string;
      for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
        const block = text.slice(0, end);
        text = text.slice(end + 2);
        if (block.startsWith(':')) comments.push(block);
        else if (block.startsWith('id: ') && !block.includes('\n'))
          positions.push(block.slice('id: '.length));
        else yield parseBlock(block);
      }
    }
  } catch {
    // The connection was cut: the end, for a test.
  }
}

function parseBlock(block: string): SseEvent {
  const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2)));
  return { ...fields, data: JSON.parse(fields['data']) as SseEvent['data'] };
}
