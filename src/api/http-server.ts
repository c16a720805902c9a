import http from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { ExecgoError, invalidInput } from '../task/errors.js';
import type { Connections } from './connections.js';
import { InOrder } from './in-order.js';

/** Long enough that a client's connections outlive a restart's pause between two of its polls. */
const KEEP_ALIVE_MS = 120_000;
/** How long the head of a request may take, and all of it with its body: 32 MiB at some 2 Mbit/s. */
const HEAD_TIMEOUT_MS = 20_000;
const REQUEST_TIMEOUT_MS = 120_000;
/** How often that is looked at. */
const TIMEOUT_CHECK_MS = 2_000;
/** After this long of silence the kernel begins to ask whether the peer is still there. */
const TCP_PROBE_MS = 30_000;

/** Node's code for a request that took longer than it may. */
const TIMED_OUT = 'ERR_HTTP_REQUEST_TIMEOUT';
/** Its parser's code for what follows a request that said `connection: close`. */
const AFTER_LAST = 'HPE_CLOSED_CONNECTION';

export interface ServerOptions {
  connections: Connections;
  log: Logger;
  /** How long a client may take nothing of its answer, in milliseconds; 60,000 by default. */
  unreadMs?: number | undefined;
}

/** What requests and answers are made as. */
export type MessageKinds = Pick<http.ServerOptions, 'IncomingMessage' | 'ServerResponse'>;

/** An HTTP server for `handle`, not listening yet. None of its events is left without a listener. */
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
    // The door refuses it, in the form that all refusals have.
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
    // Until the body is asked for, it may or may not follow: the connection cannot be used again.
    res.shouldKeepAlive = false;
    requests.take(req, res);
  });
  server.on('checkExpectation', (req: http.IncomingMessage, res: http.ServerResponse) => {
    delete req.headers.expect;
    requests.take(req, res);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const { count, isComing } = requests.unanswered(socket);
    // The last answer of a connection is on its way; what was sent behind its request is not read.
    if (error.code === AFTER_LAST && count > 0) return;
    // What is written must be the answer to what is wrong, and not to a request before it.
    const isItsTurn = count === 0 || (count === 1 && isComing);
    if (socket.writable && error.code !== 'ECONNRESET' && isItsTurn) refuse(refusalFor(error), socket);
    else socket.destroy();
  });
  server.on('connect', (req, socket) => {
    refuse(new ExecgoError('method_not_allowed', `method not allowed: ${req.method ?? ''}`), socket);
  });
  // Descriptors may run out while it listens; whoever could not be accepted then comes again.
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

/** Answers what is not HTTP, or came too slowly, as other bad input is answered. */
function refuse(refusal: ExecgoError, socket: Duplex): void {
  const body = JSON.stringify({ error: refusal.toBody() });
  socket.end(
    `HTTP/1.1 ${refusal.httpStatus} ${http.STATUS_CODES[refusal.httpStatus] ?? ''}\r\n` +
      `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
