import { isUtf8 } from 'node:buffer';
import type { Request, Response } from 'express';
import { ExecgoError, invalidInput } from '../task/errors.js';
import { MAX_KEYS, MAX_VALUES } from '../task/shape.js';
import type { BodyBudget } from './body-budget.js';
import type { ApiContext } from './context.js';
import { JsonMeter, type JsonBounds } from './json-bounds.js';

/** Limits for the body of one submit. Far more keys and values than a command line can have. */
const BODY_BOUNDS: JsonBounds = { bytes: 2_097_152, depth: 64, keys: MAX_KEYS, values: MAX_VALUES };

/** How much of a body that is too large is read and dropped, so that its sender reads the refusal. */
const DRAIN_MAX_BYTES = 67_108_864;

/**
 * Reads a JSON body, which counts against the daemon's budget until the request has been answered.
 * @throws ExecgoError `unsupported_media_type`, `payload_too_large`, `invalid_input`; `unavailable` when there is no room
 */
export async function readJson(
  ctx: Pick<ApiContext, 'bodies' | 'connections'>,
  req: Request,
  res: Response,
  bounds = BODY_BOUNDS,
): Promise<unknown> {
  checkType(req);
  ctx.connections.enter(req.socket, 'receiving');
  const body = await readBytes(ctx.bodies, req, res, bounds);
  ctx.connections.enter(req.socket, 'working');
  if (!isUtf8(body)) throw invalidInput('body: is not valid UTF-8');
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch (error) {
    throw invalidInput(`body: is not valid JSON: ${(error as Error).message}`);
  }
}

/** Programs often send no body where none is needed, and then no content type. */
export function hasBody({ headers }: Request): boolean {
  return (
    headers['transfer-encoding'] !== undefined ||
    (headers['content-length'] !== undefined && headers['content-length'] !== '0')
  );
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

const NO_ROOM = 'too many request bodies are on their way at once; try again in a moment';

function readBytes(
  budget: BodyBudget,
  req: Request,
  res: Response,
  { bytes: maxBytes, ...bounds }: JsonBounds,
): Promise<Buffer> {
  const announced = Number(req.headers['content-length'] ?? 0);
  if (req.headers.expect !== undefined) {
    // The client waits for `100 Continue` before it sends the body.
    if (announced > maxBytes) return Promise.reject(tooLarge(maxBytes));
    // A client of HTTP/1.0 does not know `100 Continue`, and reads until the connection ends.
    if (req.httpVersion !== '1.0') {
      res.writeContinue();
      res.shouldKeepAlive = req.headers.connection?.toLowerCase() !== 'close';
    }
  }
  return new Promise((resolve, reject) => {
    const meter = new JsonMeter({ bytes: maxBytes, ...bounds });
    let chunks: Buffer[] = [];
    let size = 0;
    let refusal: ExecgoError | undefined;
    const share = budget.open(() => {
      drop(new ExecgoError('unavailable', NO_ROOM));
      answerNow();
    });
    res.once('close', () => {
      budget.close(share);
    });
    /** From here on the rest of the body is read and thrown away. */
    const drop = (why: ExecgoError): void => {
      refusal = why;
      chunks = [];
      budget.close(share);
    };
    const answerNow = (): void => {
      res.shouldKeepAlive = false;
      reject(refusal ?? tooLarge(maxBytes));
    };
    const take = (chunk: Buffer): void => {
      if (size > maxBytes) throw tooLarge(maxBytes);
      meter.read(chunk);
      if (!budget.grow(share, size)) throw new ExecgoError('unavailable', NO_ROOM);
      chunks.push(chunk);
    };
    req.on('data', (chunk: Buffer) => {
      size += chunk.length;
      try {
        if (refusal === undefined) take(chunk);
      } catch (error) {
        drop(error as ExecgoError);
      }
      if (size > maxBytes + DRAIN_MAX_BYTES) answerNow();
    });
    req.on('end', () => {
      if (refusal !== undefined) {
        answerNow();
        return;
      }
      budget.complete(share);
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks));
    });
    req.on('error', () => {
      reject(invalidInput('body: ended before it was complete'));
    });
  });
}
