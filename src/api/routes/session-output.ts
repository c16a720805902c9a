import { TEXT_MIN_BYTES } from '../output-text.js';
import { oneOf, parseQuery, wholeNumber, word } from '../query.js';
import { sendEncoded } from '../respond.js';
import type { Route } from '../route.js';
import { sessionIdOf, sessionQuery } from '../session-query.js';

const LIMIT_DEFAULT = 65_536;
const LIMIT_MAX = 4_194_304;

const query = sessionQuery.extend({
  after: word('next of the page before; from the beginning without it.').optional(),
  limit: wholeNumber({
    description: `Most bytes of all pieces together; ${LIMIT_DEFAULT} by default.`,
    min: TEXT_MIN_BYTES,
    max: LIMIT_MAX,
  }).default(LIMIT_DEFAULT),
  stream: oneOf(['stdout', 'stderr'], 'Which stream; both without it.').optional(),
  encoding: oneOf(['utf8', 'base64'], 'Text, or the exact bytes.').default('utf8'),
});

/** Answers what the tasks of a session have written. */
export const sessionOutput: Route = {
  method: 'get',
  path: '/api/v1/sessions/:id/output',
  doc: {
    summary: 'What the tasks of a session have written, one after another',
    query,
    answers: { 'application/json': 'SessionOutputPage' },
    errors: ['invalid_input', 'not_found'],
  },
  handle: async (ctx, req, res) => {
    const { tenant, after, stream, limit, encoding } = parseQuery(query, req);
    const asked = { tenant, after, stream, limit, encoding };
    const { pieces, next, more } = await ctx.service.sessions.output(sessionIdOf(req), asked);
    const texts: Buffer[] = [];
    for (const { data, ...about } of pieces) {
      const text =
        encoding === 'base64'
          ? Buffer.from(`"${data.toString('base64')}"`)
          : await ctx.service.encodeText(data);
      const head = `${texts.length === 0 ? '' : ','}${JSON.stringify(about).slice(0, -1)},"data":`;
      texts.push(Buffer.from(head), text, Buffer.from('}'));
    }
    const rest = JSON.stringify({ next, more, encoding }).slice(1);
    sendEncoded(res, [Buffer.from('{"pieces":['), ...texts, Buffer.from(`],${rest}`)]);
  },
};
