import type { Exchange, HttpTransport } from './http.js';

/** How much longer than its own wait a request may take, in milliseconds. */
const DEFAULT_REQUEST_TIMEOUT_MS = 60_000;

export interface Abortable {
  signal?: AbortSignal | undefined;
}

/** The part of a request besides its method and path. */
interface Call extends Abortable {
  query?: Exchange['query'];
  /** In whose name it is asked. */
  owner?: string | undefined;
  body?: unknown;
  /** How long the daemon is asked to wait before it answers, in milliseconds. */
  waitMs?: number | undefined;
}

/**
 * Requests to a daemon, each with a time limit. All throw as {@link HttpTransport} does. The type of an answer is what the
 * caller says; nothing checks it.
 */
export class Calls {
  /** @param timeoutMs how much longer than its own wait a request may take; 60,000 by default */
  constructor(
    private readonly http: HttpTransport,
    private readonly timeoutMs = DEFAULT_REQUEST_TIMEOUT_MS,
  ) {}

  async get<T>(path: string, call: Call): Promise<T> {
    return (await this.http.json({ ...this.#limited(call), method: 'GET', path, repeatable: true })) as T;
  }

  /** @param call.repeatable as in {@link Exchange} */
  async post<T>(path: string, { repeatable, ...call }: Call & { repeatable: boolean }): Promise<T> {
    return (await this.http.json({ ...this.#limited(call), method: 'POST', path, repeatable })) as T;
  }

  /** @param call.repeatable as in {@link Exchange} */
  async put<T>(path: string, { repeatable, ...call }: Call & { repeatable: boolean }): Promise<T> {
    return (await this.http.json({ ...this.#limited(call), method: 'PUT', path, repeatable })) as T;
  }

  /** Sent at most once. */
  async patch<T>(path: string, call: Call): Promise<T> {
    return (await this.http.json({ ...this.#limited(call), method: 'PATCH', path, repeatable: false })) as T;
  }

  delete(path: string, call: Call): Promise<unknown> {
    return this.http.json({ ...this.#limited(call), method: 'DELETE', path, repeatable: false });
  }

  /** As {@link get}, for an answer that is text. */
  text(path: string, call: Call): Promise<string> {
    return this.http.text({ ...this.#limited(call), method: 'GET', path, repeatable: true });
  }

  #limited({ waitMs = 0, owner, ...call }: Call): Omit<Exchange, 'method' | 'path' | 'repeatable'> {
    const limited = { ...call, timeoutMs: this.timeoutMs + waitMs };
    if (owner === undefined) return limited;
    // Node sends a header as Latin-1: it is given the bytes of UTF-8.
    return { ...limited, headers: { 'x-execgo-owner': Buffer.from(owner).toString('latin1') } };
  }
}
