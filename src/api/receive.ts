import type { Request, Response } from 'express';
import { ExecgoError, invalidInput } from '../task/errors.js';
import type { ApiContext } from './context.js';

/**
 * Gives the body of a request, as it comes, to who takes it. What is left of it after a refusal is not waited for.
 * @throws ExecgoError `unsupported_media_type` for a compressed body; `invalid_input` when it ends before it is complete; what `take` throws
 */
export async function receive<T>(
  { connections }: Pick<ApiContext, 'connections'>,
  req: Request,
  res: Response,
  take: (content: AsyncIterable<Buffer>) => Promise<T>,
): Promise<T> {
  const coding = req.headers['content-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'identity')
    throw new ExecgoError(
      'unsupported_media_type',
      `unsupported media type: content encoding ${coding} is not supported`,
    );
  if (req.headers.expect !== undefined) res.writeContinue();
  connections.enter(req.socket, 'receiving');
  try {
    return await take(piecesOf(req));
  } catch (error) {
    res.shouldKeepAlive = false;
    req.resume();
    throw error;
  } finally {
    connections.enter(req.socket, 'working');
  }
}

async function* piecesOf(req: Request): AsyncGenerator<Buffer> {
  try {
    // Not destroyed when it is left: the refusal has to be sent.
    yield* req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  } catch {
    throw invalidInput('body: ended before it was complete');
  }
}
