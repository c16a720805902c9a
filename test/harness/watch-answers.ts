import { subscribe } from 'node:diagnostics_channel';
import type { ClientRequest, IncomingMessage, Server, ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import { complaintAbout, type CameBack } from './check-answer.js';

/** Port or path of a socket → who watches what this process reads from there. */
const daemons = new Map<string, AnswerWatch>();
const servers = new WeakMap<Server, AnswerWatch>();

/** Holds answers to the specification as they are read or sent, whoever asks for them, and however. */
export class AnswerWatch {
  readonly #places: string[] = [];
  readonly #checks: Promise<string | undefined>[] = [];
  /** Those that have not come to their end. */
  readonly #open = new Set<() => CameBack>();

  /** Watches what this process reads of the daemon at `url` with Node's client of HTTP. */
  readFrom(url: string): void {
    const place = url.startsWith('unix:') ? url.slice('unix:'.length) : new URL(url).port;
    daemons.set(place, this);
    this.#places.push(place);
  }

  /** Watches what a server in this process answers, read or not. */
  sentBy(server: Server): void {
    servers.set(server, this);
  }

  /** For an answer that comes by another way. */
  check(complaint: Promise<string | undefined>): void {
    this.#checks.push(complaint);
  }

  /** @param soFar the answer as far as it has come. @returns to be called at its end, if that comes */
  begin(soFar: () => CameBack): () => void {
    this.#open.add(soFar);
    return () => {
      if (this.#open.delete(soFar)) this.check(complaintAbout(soFar()));
    };
  }

  /** What was wrong so far, also in streams that go on. Nothing more is read from daemons. */
  async complaints(): Promise<string[]> {
    for (const place of this.#places) if (daemons.get(place) === this) daemons.delete(place);
    const open = [...this.#open].map((soFar) => complaintAbout({ ...soFar(), isWhole: false }));
    const said = await Promise.all([...this.#checks, ...open]);
    return said.filter((complaint) => complaint !== undefined);
  }
}

/** A watch that fails the present test once it has finished, where an answer was not as specified. */
export function watchAnswers(): AnswerWatch {
  const watch = new AnswerWatch();
  onTestFinished(async () => {
    const complaints = await watch.complaints();
    if (complaints.length > 0) throw new Error(complaints.slice(0, 5).join('\n\n'));
  });
  return watch;
}

subscribe('http.client.response.finish', (message) => {
  const { request, response } = message as { request: ClientRequest; response: IncomingMessage };
  const { socketPath } = request as { socketPath?: string };
  const chunks: Buffer[] = [];
  const ended = daemons.get(socketPath ?? String(response.socket.remotePort))?.begin(() => ({
    method: request.method,
    path: request.path,
    status: response.statusCode ?? 0,
    contentType: response.headers['content-type'] ?? '',
    text: Buffer.concat(chunks).toString(),
    isWhole: response.complete,
  }));
  if (ended === undefined) return;
  const push = response.push.bind(response);
  response.push = (chunk: Buffer | null, encoding) => {
    if (chunk === null) ended();
    else chunks.push(chunk);
    return push(chunk, encoding);
  };
});

type Call = (...args: unknown[]) => unknown;

subscribe('http.server.request.start', (message) => {
  const { request, response, server } = message as {
    request: IncomingMessage;
    response: ServerResponse;
    server: Server;
  };
  const chunks: Buffer[] = [];
  let contentType: string | undefined;
  const ended = servers.get(server)?.begin(() => ({
    method: request.method ?? '',
    path: request.url ?? '',
    status: response.statusCode,
    contentType: contentType ?? String(response.getHeader('content-type')),
    text: Buffer.concat(chunks).toString(),
    isWhole: response.writableFinished,
  }));
  if (ended === undefined) return;
  response.once('close', ended);
  const keep = (chunk: unknown): void => {
    if (typeof chunk === 'string' || chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk));
  };
  const watched = (name: 'write' | 'end' | 'writeHead', look: (args: unknown[]) => void) => {
    const call = response[name].bind(response) as Call;
    Object.assign(response, {
      [name]: (...args: unknown[]) => {
        look(args);
        return call(...args);
      },
    });
  };
  watched('write', ([chunk]) => keep(chunk));
  watched('end', ([chunk]) => keep(chunk));
  watched('writeHead', (args) => {
    const headers = args.at(-1);
    if (typeof headers === 'object') contentType = (headers as { 'content-type'?: string })['content-type'];
  });
});
