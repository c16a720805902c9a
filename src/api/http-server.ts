import http from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { ExecgoError, invalidInput } from '../task/errors.js';
import type { Connections } from './connections.js';
import { InOrder } from './in-order.js';

/** Long enough for a client to keep its connection between two polls while a daemon restarts. */
const KEEP_ALIVE_MS = 120_000;
/** How long the head of a request may take, and how long the whole request: 32 MiB at some 2 Mbit/s. */
const HEAD_TIMEOUT_MS = 20_000;
const REQUEST_TIMEOUT_MS = 120_000;
/** How often Node checks those two. */
const TIMEOUT_CHECK_MS = 2_000;
/** After this long without data the kernel begins to ask whether the peer is still there. */
const TCP_PROBE_MS = 30_000;

/** Node's error code for a request that took too long. */
const TIMED_OUT = 'ERR_HTTP_REQUEST_TIMEOUT';
/** The parser's error code for data after a request that said `connection: close`. */
const AFTER_LAST = 'HPE_CLOSED_CONNECTION';

export interface ServerOptions {
  connections: Connections;
  log: Logger;
  /** How long a client may read nothing of its answer, in milliseconds; 60,000 by default. */
  unreadMs?: number | undefined;
}

/** The classes that requests and answers are made of. */
export type MessageKinds = Pick<http.ServerOptions, 'IncomingMessage' | 'ServerResponse'>;

/** An HTTP server for `handle`, which does not listen yet. All its error events have listeners. */
export function createHttpServer(
  handle: http.RequestListener,
  { connections, log, unreadMs }: ServerOptions,
  kinds: MessageKinds = {},
): http.Server {
  const server = http.createServer({
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: HEAD_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    keepAlive: true,
    keepAliveInitialDelay: TCP_PROBE_MS,
    // Middleware refuses a missing host header, with an error in our own form.
    requireHostHeader: false,
    ...kinds,
  });
  const requests = new InOrder(handle, connections, unreadMs);
  server.on('connection', (socket: Socket) => {
    connections.admit(socket);
  });
  server.on('request', (req, res) => {
    requests.take(req, res);
  });
  server.on('checkContinue', (req: http.IncomingMessage, res: http.ServerResponse) => {
    // The body may or may not be sent while nobody asks for it, so the connection cannot be used for another request.
    res.shouldKeepAlive = false;
    requests.take(req, res);
  });
  server.on('checkExpectation', (req: http.IncomingMessage, res: http.ServerResponse) => {
    delete req.headers.expect;
    requests.take(req, res);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const { count, isComing } = requests.unanswered(socket);
    // The last answer of this connection is being sent; data after its request is ignored.
    if (error.code === AFTER_LAST && count > 0) return;
    // The refusal may be written only when no answer to an earlier request is still to be sent.
    const isItsTurn = count === 0 || (count === 1 && isComing);
    if (socket.writable && error.code !== 'ECONNRESET' && isItsTurn) refuse(refusalFor(error), socket);
    else socket.destroy();
  });
  server.on('connect', (req, socket) => {
    refuse(new ExecgoError('method_not_allowed', `method not allowed: ${req.method ?? ''}`), socket);
  });
  // Accepting may fail when descriptors run out; the client then tries again.
  server.once('listening', () => {
    server.on('error', (err) => {
      log.error({ err }, 'cannot accept a connection');
    });
  });
  return server;
}

function refusalFor(error: NodeJS.ErrnoException): ExecgoError {
  return error.code === TIMED_OUT
    ? new ExecgoError('request_timeout', 'request timeout: the request did not come in full in time')
    : invalidInput(`request: ${error.message}`);
}

/** Answers something that is not HTTP, or came too slowly, in the form of all other refusals. */
function refuse(refusal: ExecgoError, socket: Duplex): void {
  const body = JSON.stringify({ error: refusal.toBody() });
  socket.end(
    `HTTP/1.1 ${refusal.httpStatus} ${http.STATUS_CODES[refusal.httpStatus] ?? ''}\r\n` +
      `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
