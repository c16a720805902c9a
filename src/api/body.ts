import { isUtf8 } from 'node:buffer';
import type { Request, Response } from 'express';
import { ExecgoError, invalidInput } from '../task/errors.js';

/** Largest body of one submit, in bytes. */
export const BODY_MAX_BYTES = 2_097_152;

/** How much of a body that is too large is read and dropped, so that its sender gets to read the refusal. */
const DRAIN_MAX_BYTES = 67_108_864;

/**
 * Reads a JSON body.
 * @throws ExecgoError `unsupported_media_type`, `payload_too_large`, `invalid_input`
 */
export async function readJson(req: Request, res: Response, maxBytes = BODY_MAX_BYTES): Promise<unknown> {
  checkType(req);
  const body = await readBytes(req, res, maxBytes);
  if (!isUtf8(body)) throw invalidInput('body: is not valid UTF-8');
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch (error) {
    throw invalidInput(`body: is not valid JSON: ${(error as Error).message}`);
  }
}

function checkType(req: Request): void {
  const type = req.headers['content-type'];
  if (type?.split(';', 1)[0]?.trim().toLowerCase() !== 'application/json')
    throw mediaType(`content type must be application/json${type === undefined ? '' : `, not ${type}`}`);
  const coding = req.headers['content-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'identity')
    throw mediaType(`content encoding ${coding} is not supported`);
}

function mediaType(message: string): ExecgoError {
  return new ExecgoError('unsupported_media_type', `unsupported media type: ${message}`);
}

function tooLarge(maxBytes: number): ExecgoError {
  return new ExecgoError('payload_too_large', `payload too large: at most ${maxBytes} bytes are accepted`);
}

function readBytes(req: Request, res: Response, maxBytes: number): Promise<Buffer> {
  const announced = Number(req.headers['content-length'] ?? 0);
  if (req.headers.expect !== undefined) {
    // The client waits for a word before it sends anything.
    if (announced > maxBytes) return Promise.reject(tooLarge(maxBytes));
    res.writeContinue();
    res.shouldKeepAlive = req.headers.connection?.toLowerCase() !== 'close';
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const refuse = (): void => {
      res.shouldKeepAlive = false;
      reject(tooLarge(maxBytes));
    };
    req.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else if (size > maxBytes + DRAIN_MAX_BYTES) refuse();
      else chunks.length = 0;
    });
    req.on('end', () => {
      if (size > maxBytes) refuse();
      else resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks));
    });
    req.on('error', () => {
      reject(invalidInput('body: ended before it was complete'));
    });
  });
}
