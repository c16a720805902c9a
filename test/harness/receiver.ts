import { createServer, type IncomingHttpHeaders, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** A message as it came. */
export interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  text: string;
  /** The parsed body. */
  body: { type: string; timestamp: string; data: Record<string, unknown> };
}

/** Somebody who is sent messages. */
export interface Receiver {
  /** Without a path: `http://127.0.0.1:PORT`, or `https://…`. */
  url: string;
  /** As an operator allows it: `127.0.0.1:PORT`. */
  host: string;
  /** All so far, in the order in which they came. */
  received: Received[];
  /** How many were open at once, at most. */
  most: () => number;
}

/**
 * @param answer what becomes of one; by default it is answered with 204
 * @param tls the key and the certificate with which it speaks HTTPS, as PEM
 */
export async function startReceiver(
  answer: (message: Received, response: ServerResponse, n: number) => void = (_, response) => {
    response.writeHead(204).end();
  },
  tls?: { key: string; cert: string },
): Promise<Receiver> {
  const received: Received[] = [];
  let open = 0;
  let most = 0;
  const take: RequestListener = (request, response) => {
    most = Math.max(most, ++open);
    response.once('close', () => open--);
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const message = {
        path: request.url ?? '',
        headers: request.headers,
        text,
        body: JSON.parse(text) as Received['body'],
      };
      answer(message, response, received.push(message));
    });
  };
  const server = tls === undefined ? createServer(take) : createSecureServer(tls, take);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url: `${tls === undefined ? 'http' : 'https'}://${host}`, host, received, most: () => most };
}
