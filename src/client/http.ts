import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { ErrorBody } from '../task/error-body.js';
import { connectionError, ExecgoApiError, ExecgoConnectionError } from './errors.js';
import { parseServerAddress, type ServerAddress } from './server-address.js';

/** One HTTP exchange. */
export interface Exchange {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Absolute, without query. */
  path: string;
  query?: Record<string, string | number | boolean | undefined> | undefined;
  headers?: Record<string, string> | undefined;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is, in the place of {@link body}. */
  content?: Readable | undefined;
  /** True when the daemon may get it twice without harm. */
  repeatable: boolean;
  /** How long the whole answer may take, in milliseconds; absent for a stream. */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** HTTP to one daemon over kept-alive connections. */
export class HttpTransport {
  readonly #address: ServerAddress;
  readonly #agent = new Agent({ keepAlive: true });

  /**
   * @param headers sent with each request
   * @throws TypeError when `server` is not an address.
   */
  constructor(
    server: string,
    private readonly headers: Readonly<Record<string, string>> = {},
  ) {
    this.#address = parseServerAddress(server);
  }

  /** As people write it. */
  get server(): string {
    return this.#address.display;
  }

  /** Closes the connections that are kept. */
  close(): void {
    this.#agent.destroy();
  }

  /**
   * @returns the parsed answer.
   * @throws ExecgoApiError for a status of 400 and above, ExecgoConnectionError when there is no usable answer,
   *   the signal's reason when it aborts.
   */
  async json(exchange: Exchange): Promise<unknown> {
    const text = await this.text(exchange);
    try {
      return text === '' ? undefined : JSON.parse(text);
    } catch (cause) {
      throw new ExecgoConnectionError(
        `${this.server} answered something that is not JSON; is it execgo?`,
        undefined,
        {
          cause,
        },
      );
    }
  }

  /** As {@link json}, for an answer that is text. */
  async text(exchange: Exchange): Promise<string> {
    const answer = await this.#open(exchange);
    return this.#body(exchange, answer);
  }

  /** Opens a stream; the caller reads the answer or destroys it. Throws as {@link json} does. */
  async stream(exchange: Exchange): Promise<IncomingMessage> {
    return (await this.#open(exchange)).response;
  }

  /** @returns the error as {@link json} would throw it, for a stream that broke while it was read. */
  lost(cause: unknown): ExecgoConnectionError {
    return connectionError(this.server, cause instanceof Error ? cause : new Error(String(cause)));
  }

  async #open(exchange: Exchange): Promise<Answer> {
    let answer: Answer;
    try {
      answer = await this.#send(exchange);
    } catch (error) {
      // The daemon closed a kept connection just as it was used again: nothing is wrong, a new one will do.
      if (!(error instanceof StaleConnection) || !exchange.repeatable)
        throw this.#explain(exchange, error instanceof StaleConnection ? error.cause : error);
      answer = await this.#send(exchange).catch((again: unknown) => {
        throw this.#explain(exchange, again instanceof StaleConnection ? again.cause : again);
      });
    }
    const status = answer.response.statusCode ?? 0;
    if (status >= 400) throw apiError(this.server, answer.response, await this.#body(exchange, answer));
    return answer;
  }

  #send(exchange: Exchange): Promise<Answer> {
    const { connect, hostHeader, prefix } = this.#address;
    const body = exchange.body === undefined ? undefined : Buffer.from(JSON.stringify(exchange.body));
    return new Promise((resolve, reject) => {
      exchange.signal?.throwIfAborted();
      const req = request({
        ...connect,
        agent: this.#agent,
        method: exchange.method,
        path: `${prefix}${exchange.path}${queryString(exchange.query)}`,
        headers: {
          host: hostHeader,
          ...this.headers,
          ...(body === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': body.length }),
          ...exchange.headers,
        },
        signal: exchange.signal,
      });
      const timer = deadline(req, exchange.timeoutMs);
      req.once('close', () => {
        clearTimeout(timer);
      });
      req.once('error', (error: NodeJS.ErrnoException) => {
        const stale = req.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
        reject(stale ? new StaleConnection(error) : error);
      });
      req.once('response', (response) => {
        // A later error of the request is also an error of the response, where it is handled.
        req.on('error', () => undefined);
        resolve({ response, request: req });
      });
      const { content } = exchange;
      if (content === undefined) req.end(body);
      else content.on('error', (error) => req.destroy(error)).pipe(req);
    });
  }

  async #body(exchange: Exchange, { response }: Answer): Promise<string> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of response) chunks.push(chunk as Buffer);
    } catch (error) {
      throw this.#explain(exchange, error);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  #explain(exchange: Exchange, error: unknown): unknown {
    if (exchange.signal?.aborted === true) return exchange.signal.reason;
    return this.lost(error);
  }
}

interface Answer {
  response: IncomingMessage;
  request: ClientRequest;
}

/** A connection that was kept alive turned out to be closed. */
class StaleConnection extends Error {
  constructor(override readonly cause: Error) {
    super(cause.message);
  }
}

function deadline(req: ClientRequest, timeoutMs: number | undefined): NodeJS.Timeout | undefined {
  if (timeoutMs === undefined) return undefined;
  return setTimeout(() => {
    req.destroy(new Error(`no answer within ${String(timeoutMs)} ms`));
  }, timeoutMs);
}

function queryString(query: Exchange['query']): string {
  const given = Object.entries(query ?? {}).flatMap(([key, value]) =>
    value === undefined ? [] : [`${encodeURIComponent(key)}=${encodeURIComponent(value)}`],
  );
  return given.length === 0 ? '' : `?${given.join('&')}`;
}

function apiError(
  server: string,
  { statusCode: status = 0, headers }: IncomingMessage,
  text: string,
): ExecgoApiError | ExecgoConnectionError {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  const error = (body as { error?: Partial<ErrorBody> } | null | undefined)?.error;
  if (typeof error?.code !== 'string' || typeof error.message !== 'string')
    return new ExecgoConnectionError(
      `${server} answered HTTP ${String(status)} without an execgo error; is it execgo?`,
    );
  const seconds = Number(headers['retry-after']);
  const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : undefined;
  return new ExecgoApiError(error.code, error.message, status, error.details, retryAfterMs, server);
}
