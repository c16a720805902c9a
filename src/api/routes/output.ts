import type { Response } from 'express';
import { z } from 'zod';
import { cutRange, TEXT_MIN_BYTES } from '../output-text.js';
import { oneOf, parseQuery, taskIdOf, wholeNumber } from '../query.js';
import { sendEncoded } from '../respond.js';
import type { Route } from '../route.js';

const LIMIT_DEFAULT = 65_536;
const LIMIT_MAX = 4_194_304;
const VIEW_BYTES_DEFAULT = 8_192;
const VIEW_LINES_DEFAULT = 200;
const VIEW_LINES_MAX = 100_000;

const query = z.object({
  stream: oneOf(['stdout', 'stderr'], 'Which stream.').default('stdout'),
  attempt: wholeNumber({
    description: 'Of which attempt; the last one by default.',
    min: 1,
  }).optional(),
  view: oneOf(['range', 'head_tail'], 'A range of bytes, or the first and the last of the stream.').default(
    'range',
  ),
  offset: wholeNumber({ description: 'Range: its first byte; 0 by default.' }).default(0),
  limit: wholeNumber({
    description: `Range: most bytes; ${LIMIT_DEFAULT} by default. At least ${TEXT_MIN_BYTES} are read for text.`,
    min: 1,
    max: LIMIT_MAX,
  }).default(LIMIT_DEFAULT),
  encoding: oneOf(['utf8', 'base64'], 'Range: text, or the exact bytes.').default('utf8'),
  max_bytes: wholeNumber({
    description: `Head and tail: most bytes of both together; ${VIEW_BYTES_DEFAULT} by default.`,
    min: 1,
    max: LIMIT_MAX,
  }).default(VIEW_BYTES_DEFAULT),
  max_lines: wholeNumber({
    description: `Head and tail: most lines of both together; ${VIEW_LINES_DEFAULT} by default.`,
    min: 1,
    max: VIEW_LINES_MAX,
  }).default(VIEW_LINES_DEFAULT),
});

/** Answers part of what a task has written. */
export const output: Route = {
  method: 'get',
  path: '/api/v1/tasks/:id/output',
  doc: {
    summary: "A range of a task's output, or its head and tail",
    query,
    answers: { 'application/json': 'OutputAnswer' },
    errors: ['invalid_input', 'not_found'],
  },
  handle: async (ctx, req, res) => {
    const taskId = taskIdOf(req);
    const encodeText = (bytes: Buffer) => ctx.service.encodeText(bytes);
    const {
      stream,
      attempt: wanted,
      view,
      offset,
      limit,
      encoding,
      max_bytes,
      max_lines,
    } = parseQuery(query, req);
    if (view === 'head_tail') {
      const { head, tail, ...counts } = await ctx.service.outputView(
        taskId,
        stream,
        max_bytes,
        max_lines,
        wanted,
      );
      const [headText, tailText] = [await encodeText(head), await encodeText(tail)];
      sendTexts(res, { task_id: taskId, ...counts }, { head: headText, tail: tailText });
      return;
    }
    const bytes = encoding === 'utf8' ? Math.max(limit, TEXT_MIN_BYTES) : limit;
    const range = await ctx.service.outputRange(taskId, stream, offset, bytes, wanted);
    const { attempt, total_bytes, kept_bytes, omitted_bytes, eof, warnings } = range;
    const about = {
      task_id: taskId,
      stream,
      attempt,
      total_bytes,
      kept_bytes,
      omitted_bytes,
      eof,
      encoding,
      warnings,
    };
    const { data, ...cut } = cutRange(range, offset, encoding);
    const text = encoding === 'base64' ? Buffer.from(`"${data.toString('base64')}"`) : await encodeText(data);
    sendTexts(res, { ...about, ...cut }, { data: text });
  },
};

/** Answers an object whose texts are encoded as JSON already: encoding 4 MiB of binary output here would block for 150 ms. */
function sendTexts(res: Response, about: object, texts: Readonly<Record<string, Buffer>>): void {
  const head = Buffer.from(JSON.stringify(about).slice(0, -1));
  const fields = Object.entries(texts).flatMap(([name, text]) => [Buffer.from(`,"${name}":`), text]);
  sendEncoded(res, [head, ...fields, Buffer.from('}')]);
}
