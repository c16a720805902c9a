import {
  type ClientRequestArgs,
  type IncomingHttpHeaders,
  type IncomingMessage,
  get,
  request as httpRequest,
} from 'node:http';
import { urlToHttpOptions } from 'node:url';

/** What a test takes a body for when it does not say: its own assertions are the check. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- `unknown` would only move the cast into every test
type Unchecked = any;

/** An HTTP answer, read to its end. */
export interface Answer<T> {
  status: number;
  headers: IncomingHttpHeaders;
  /** The body as it came. */
  text: string;
  /** The parsed body where its content type is JSON, else undefined. `T` is the test's claim; nothing checks it. */
  body: T;
}

export interface RequestOptions {
  /** Sent as JSON; a string or Buffer as it is. */
  body?: unknown;
  /** Added to, or replacing, what is sent anyway. */
  headers?: Record<string, string>;
  /** Sends the path as it is, with the "." and ".." in it. */
  asIs?: boolean;
}

/** A tiny client: one connection per request, no redirects, no retries, no status that throws. */
export interface HttpClient {
  request: <T = Unchecked>(method: string, path: string, options?: RequestOptions) => Promise<Answer<T>>;
  get: <T = Unchecked>(path: string, headers?: Record<string, string>) => Promise<Answer<T>>;
  /** Without `body` nothing is sent, not even a content type. */
  post: <T = Unchecked>(path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer<T>>;
  put: <T = Unchecked>(path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer<T>>;
  delete: <T = Unchecked>(path: string, headers?: Record<string, string>) => Promise<Answer<T>>;
  /** The answer once its head has come, to be read as text, which comes in pieces. Leaving a loop over it closes it. */
  open: (path: string, headers?: Record<string, string>) => Promise<IncomingMessage>;
}

/** A client of the server at `url`, which is `http://…` or `unix:/path`. Its requests reject when the connection fails or breaks. */
export function http(url: string): HttpClient {
  const request = <T>(method: string, path: string, options: RequestOptions = {}) =>
    send<T>(url, path, method, options);
  return {
    request,
    get: (path, headers = {}) => request('GET', path, { headers }),
    post: (path, body, headers = {}) => request('POST', path, { body, headers }),
    put: (path, body, headers = {}) => request('PUT', path, { body, headers }),
    delete: (path, headers = {}) => request('DELETE', path, { headers }),
    open: (path, headers = {}) =>
      new Promise((resolve, reject) => {
        get({ ...targetOf(url, path), agent: false, headers }, (res) => {
          resolve(res.setEncoding('utf8'));
        }).on('error', reject);
      }),
  };
}

/** @param asIs leave "." and ".." in the path */
function targetOf(url: string, path: string, asIs = false): ClientRequestArgs {
  if (url.startsWith('unix:')) return { socketPath: url.slice('unix:'.length), path };
  return asIs ? { ...urlToHttpOptions(new URL(url)), path } : urlToHttpOptions(new URL(path, url));
}

function send<T>(
  url: string,
  path: string,
  method: string,
  { body, headers = {}, asIs }: RequestOptions,
): Promise<Answer<T>> {
  const target = targetOf(url, path, asIs);
  const raw =
    typeof body === 'string' || Buffer.isBuffer(body) ? body : (JSON.stringify(body) as string | undefined);
  const type: Record<string, string> = raw === undefined ? {} : { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const options = { ...target, method, agent: false as const, headers: { ...type, ...headers } };
    const req = httpRequest(options, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = res.headers['content-type']?.includes('json') === true && text !== '';
        const status = res.statusCode ?? 0;
        let parsed: T;
        try {
          parsed = (isJson ? JSON.parse(text) : undefined) as T;
        } catch {
          reject(new Error(`${method} ${path} answered text that is no JSON: ${text.slice(0, 500)}`));
          return;
        }
        resolve({ status, headers: res.headers, text, body: parsed });
      });
    });
    req.on('error', reject);
    req.end(raw);
  });
}
