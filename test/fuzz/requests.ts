import { junk, TEXTS, valueFor, type Schema } from './values.js';
import type { Random } from './random.js';

interface Operation {
  parameters: { name: string; in: 'path' | 'query' | 'header'; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, unknown>;
}

/** As much of the specification as requests are made from. */
export interface Specification {
  paths: Record<string, Record<string, Operation>>;
}

/** @returns the document with each schema in the place of the references to it; within itself anything may be in its place */
export function readSpecification(text: string): Specification {
  const { components } = JSON.parse(text) as { components: { schemas: Record<string, unknown> } };
  const within = (names: readonly string[]) => (_key: string, value: unknown) => {
    const name = (value as { $ref?: string } | null)?.$ref?.split('/').at(-1);
    if (name === undefined) return value;
    if (names.includes(name)) return {};
    return JSON.parse(JSON.stringify(components.schemas[name]), within([...names, name])) as unknown;
  };
  return JSON.parse(text, within([])) as Specification;
}

/** One request: through an HTTP client, or as bytes. */
export type FuzzRequest =
  | {
      kind: 'http';
      method: string;
      path: string;
      headers: Record<string, string>;
      body: string | undefined;
      /** Leave as soon as an answer begins, or after so many milliseconds without one. */
      leaveAfterMs: number | undefined;
      /** The statuses that the specification knows for it, where it is a request of the specification. */
      documented: number[] | undefined;
    }
  | { kind: 'bytes'; bytes: Buffer };

const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'BREW',
  'get',
];
const ACCEPTS = [
  '*/*',
  'application/json',
  'text/event-stream',
  'text/html',
  'application/octet-stream',
  ';q=,',
];
const IDS = [
  't0',
  't1',
  't2',
  't3',
  't4',
  't5',
  't6',
  't7',
  'nobody',
  'a%2Fb',
  '..',
  '%2e%2e',
  '%ff',
  '%zz',
  'x'.repeat(300),
];
const HEADERS: [string, readonly string[]][] = [
  ['accept', ACCEPTS],
  ['host', ['localhost', '127.0.0.1:1', 'evil.example', '', '[::1]', '[', 'a b']],
  ['origin', ['null', 'http://localhost', 'https://localhost', 'http://evil.example', ':']],
  ['sec-fetch-site', ['cross-site', 'same-origin', 'none']],
  ['content-type', ['application/json', 'text/plain', 'application/json; charset=utf-16', '', ';;']],
  ['content-encoding', ['gzip', 'identity', 'br']],
  ['expect', ['100-continue', '200-ok']],
  ['connection', ['close', 'keep-alive', 'upgrade']],
  ['upgrade', ['websocket', 'h2c']],
  ['x-execgo-owner', ['a', '', 'ann', 'x'.repeat(2000)]],
  ['last-event-id', ['0', '1', '5-5', '-1', 'x', '99999999999999999999']],
  ['range', ['bytes=0-0']],
  ['transfer-encoding', ['chunked']],
];

/** The request that follows from `random` alone. */
export function makeRequest(random: Random, spec: Specification): FuzzRequest {
  const kind = random.next();
  if (kind < 0.1) return { kind: 'bytes', bytes: rawBytes(random) };
  const [path, operations] = random.pick(Object.entries(spec.paths));
  const known = random.pick(Object.keys(operations));
  const stray = random.chance(0.15);
  const method = stray ? random.pick(METHODS) : known.toUpperCase();
  const operation = operations[known]!;
  const query = operation.parameters.flatMap((p) =>
    p.in === 'query' ? queryOf(random, p.name, p.schema) : [],
  );
  const headers = random.chance(0.4) ? someHeaders(random) : {};
  const body = bodyOf(random, operation, method);
  if (body !== undefined) {
    headers['content-type'] ??= 'application/json';
    if (headers['transfer-encoding'] === undefined)
      headers['content-length'] = String(Buffer.byteLength(body));
  } else delete headers['transfer-encoding'];
  const id = random.pick(IDS);
  const streams = (headers['accept'] ?? '').includes('event-stream') || path.endsWith('/stream');
  const waits = query.some((part) => part.startsWith('wait_ms='));
  const plain = !stray && Object.keys(headers).every((name) => /^(content-(type|length)|accept)$/.test(name));
  return {
    kind: 'http',
    method,
    path: `${path.replace(/\{\w+\}/, id)}${query.length === 0 ? '' : `?${query.join('&')}`}`,
    headers,
    body,
    leaveAfterMs: streams || waits ? random.below(20) : undefined,
    documented: plain ? Object.keys(operation.responses).map(Number) : undefined,
  };
}

function queryOf(random: Random, name: string, schema: Schema): string[] {
  if (!random.chance(0.25)) return [];
  const value = random.chance(0.8) ? valueFor(random, schema) : random.pick(TEXTS);
  const one = `${name}=${safely(String(value))}`;
  return random.chance(0.05) ? [one, one] : [one];
}

/** Half a surrogate pair cannot be encoded. */
const safely = (text: string) => encodeURIComponent(Buffer.from(text).toString());

function someHeaders(random: Random): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: 1 + random.below(3) }, () => {
      const [name, values] = random.pick(HEADERS);
      return [name, random.pick(values)];
    }),
  );
}

function bodyOf(random: Random, operation: Operation, method: string): string | undefined {
  const schema = operation.requestBody?.content['application/json']?.schema;
  if (schema === undefined || method === 'HEAD')
    return random.chance(0.05) ? JSON.stringify(junk(random)) : undefined;
  if (random.chance(0.03)) return undefined;
  const text = JSON.stringify(valueFor(random, schema));
  if (random.chance(0.9)) return text;
  // Cut off, or with something in its middle.
  const at = random.below(text.length + 1);
  return random.chance(0.5)
    ? text.slice(0, at)
    : `${text.slice(0, at)}${random.pick(TEXTS)}${text.slice(at)}`;
}

const LINES = [
  'GET /healthz HTTP/1.1',
  'POST /api/v1/tasks HTTP/1.1',
  'HEAD /api/v1/events HTTP/1.1',
  'GET /api/v1/events HTTP/1.1',
  'CONNECT localhost:80 HTTP/1.1',
  'GET http:// HTTP/1.1',
  'GET http://evil.example/ HTTP/1.1',
  'GET * HTTP/1.1',
  'GET /%zz HTTP/1.1',
  'GET ?x HTTP/1.1',
  'PRI * HTTP/2.0',
  'GET / HTTP/0.9',
  'get / HTTP/1.1',
  '\u0016\u0003\u0001',
];
const FIELDS = [
  ...[
    'host: localhost',
    'Host: evil.example',
    'content-length: 5',
    'content-length: 99',
    'content-length: -1',
  ],
  ...[
    'transfer-encoding: chunked',
    'transfer-encoding: x',
    'content-type: application/json',
    'expect: 100-continue',
  ],
  ...[
    'accept: text/event-stream',
    'connection: close',
    'upgrade: h2c',
    ': x',
    'a b: c',
    'x: \u0000',
    `x: ${'y'.repeat(20_000)}`,
  ],
];
const ENDS = [
  '',
  '\r\n\r\n',
  '\r\n\r\nhello',
  '\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  '\r\n\r\nffffffffffffffff\r\n',
  '\n\n',
];

/** Bytes that are nearly HTTP, of one or more requests, or nothing like it. */
function rawBytes(random: Random): Buffer {
  if (random.chance(0.2)) return random.bytes(random.below(400));
  const one = (): string => {
    const fields = Array.from({ length: random.below(5) }, () => random.pick(FIELDS));
    return `${[random.pick(LINES), ...fields].join('\r\n')}${random.pick(ENDS)}`;
  };
  const bytes = Buffer.from(Array.from({ length: 1 + random.below(4) }, one).join(''), 'latin1');
  if (random.chance(0.2) && bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256);
  return bytes;
}
