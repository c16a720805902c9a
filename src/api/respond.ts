import type { Response } from 'express';
import type { EncodedJson } from '../runtime/service.js';

const JSON_TYPE = 'application/json';

/** Answers a value as JSON. */
export function sendJson(res: Response, value: unknown, status = 200): void {
  const body = Buffer.from(JSON.stringify(value));
  res.writeHead(status, { 'content-type': JSON_TYPE, 'content-length': body.length }).end(body);
}

/** In bytes: up to this size, joining the pieces costs less than one write for each. */
const COPY_BYTES = 65_536;

/** Answers JSON that is encoded already; long texts are not copied. */
export function sendEncoded(res: Response, pieces: EncodedJson): void {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  res.writeHead(200, { 'content-type': JSON_TYPE, 'content-length': length });
  if (length <= COPY_BYTES) {
    res.end(Buffer.concat(pieces, length));
    return;
  }
  res.cork();
  for (const piece of pieces) res.write(piece);
  res.end();
  res.uncork();
}

/** Answers a text. */
export function sendText(res: Response, text: string, contentType: string): void {
  const body = Buffer.from(text);
  res.writeHead(200, { 'content-type': contentType, 'content-length': body.length }).end(body);
}
