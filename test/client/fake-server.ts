import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { examples } from '../../src/task/examples.js';
import { watchAnswers } from '../harness/watch-answers.js';

/** A request as it came in. */
export interface Seen {
  method: string;
  /** With query. */
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

export type Handler = (seen: Seen, res: ServerResponse, nth: number) => void | Promise<void>;

/**
 * A real HTTP server on a port of its own, whose answers a test decides. They must be such as a daemon gives, or the test
 * fails.
 */
export class FakeServer {
  readonly seen: Seen[] = [];
  readonly #server: Server;
  #port = 0;
  #watchers: (() => void)[] = [];

  /** @param likeADaemon false where a test is about answers that no daemon gives */
  constructor(handler: Handler, likeADaemon = true) {
    this.#server = createServer((req, res) => {
      const chunks: Buffer[] = [];
      req.on('data', (chunk: Buffer) => chunks.push(chunk));
      req.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8');
        const seen = { method: req.method ?? '', url: req.url ?? '', headers: req.headers, body };
        this.seen.push(seen);
        for (const watcher of this.#watchers) watcher();
        void handler(
          seen,
          res,
          this.seen.filter((s) => s.url === seen.url && s.method === seen.method).length,
        );
      });
    });
    if (likeADaemon) watchAnswers().sentBy(this.#server);
  }

  get url(): string {
    return `http://127.0.0.1:${String(this.#port)}`;
  }

  /** Listens on the port it had before, or on a free one, or on a socket. */
  async start(socketPath?: string): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      if (socketPath === undefined) this.#server.listen(this.#port, '127.0.0.1', resolve);
      else this.#server.listen(socketPath, resolve);
    });
    if (socketPath === undefined) this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  /** Listens on this port of the loopback. */
  async startAt(port: number): Promise<void> {
    this.#port = port;
    await this.start();
  }

  /** Stops listening and cuts every connection. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    await new Promise((resolve) => {
      this.#server.close(resolve);
      this.#server.closeAllConnections();
    });
  }

  /** Resolves once a request of this method and path prefix has come. */
  async request(method: string, path: string): Promise<Seen> {
    for (;;) {
      const found = this.seen.find((s) => s.method === method && s.url.startsWith(path));
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }
}

/** Answers JSON. */
export function json(res: ServerResponse, body: unknown, status = 200): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** Answers an error as the daemon does. */
export function refuse(res: ServerResponse, status: number, code: string, message: string): void {
  json(res, { error: { code, message } }, status);
}

/** Begins an event stream. */
export function beginEvents(res: ServerResponse): void {
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  res.flushHeaders();
}

/** Sends one server-sent event. */
export function sendEvent(res: ServerResponse, event: string, data: unknown, id = ''): void {
  res.write(`${id === '' ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

/** Data of a `stdout` or `stderr` event. */
export function chunk(offset: number, bytes: Buffer | string): object {
  const data = Buffer.from(bytes);
  return { offset, next_offset: offset + data.length, data: data.toString('base64') };
}

/** Data of a range of output. */
export function outputRange(stream: string, offset: number, bytes: Buffer, total: number): object {
  return {
    ...{ task_id: 't1', attempt: 1, stream, encoding: 'base64', ...chunk(offset, bytes) },
    ...{ total_bytes: total, kept_bytes: total, omitted_bytes: 0, eof: offset + bytes.length === total },
  };
}

/** One event of the feed, of a task that started unless it is said. */
export function eventView(seq: number, overrides: object = {}): object {
  const about = { task_id: 't1', handle_id: 't1', event_type: 'started', type: 'task_started' };
  return { seq, ...about, timestamp: '2026-01-02T03:04:05Z', message: 'task started', ...overrides };
}

/** A line of a list. */
export function taskSummary(task_id: string): object {
  const { status, version, attempt, created_at, updated_at, kill_requested } = examples.TaskView!;
  const { queue, priority, command } = examples.TaskView!;
  const about = {
    ...{ status, version, attempt, created_at, updated_at },
    ...{ kill_requested, queue, priority, command },
  };
  return { task_id, handle_id: task_id, ...about };
}

/** A status object with the members that are always there. */
export function taskView(overrides: object = {}): object {
  return {
    task_id: 't1',
    handle_id: 't1',
    status: 'success',
    version: 3,
    attempt: 1,
    created_at: '2026-01-02T03:04:05Z',
    updated_at: '2026-01-02T03:04:06Z',
    stdout: '',
    stderr: '',
    stdout_truncated: false,
    stderr_truncated: false,
    stdout_bytes: 0,
    stderr_bytes: 0,
    kill_requested: false,
    command: 'true',
    cwd: '/w',
    limits: { wall_time_ms: 0, stdout_max_bytes: 1, stderr_max_bytes: 1 },
    queue: 'default',
    priority: 0,
    artifacts: {
      task_dir: 'd',
      request_path: 'd/r',
      result_path: 'd/s',
      stdout_path: 'd/o',
      stderr_path: 'd/e',
    },
    ...overrides,
  };
}
