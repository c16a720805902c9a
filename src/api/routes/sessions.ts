import { z } from 'zod';
import { invalidInput } from '../../task/errors.js';
import { SESSION_STATES } from '../../task/sessions.js';
import { oneOf, parseQuery, wholeNumber, word } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

const PAGE_DEFAULT = 50;
const PAGE_MAX = 200;

const query = z.object({
  tenant: word('Exact tenant.').optional(),
  owner: word('Exact owner.').optional(),
  state: oneOf([...SESSION_STATES], 'Which of them.').optional(),
  reader: word('With unread=true: who reads.').optional(),
  unread: oneOf(['true'], 'Only sessions that the reader has not seen as they are.').optional(),
  limit: wholeNumber({
    description: `Sessions a page; ${PAGE_DEFAULT} by default.`,
    min: 1,
    max: PAGE_MAX,
  }).default(PAGE_DEFAULT),
  cursor: word('next_cursor of the page before.').optional(),
});

/** Lists sessions, a page at a time. */
export const sessions: Route = {
  method: 'get',
  path: '/api/v1/sessions',
  doc: {
    summary: 'List sessions, the newest first; all given conditions hold at once',
    query,
    answers: { 'application/json': 'SessionPage' },
    errors: ['invalid_input'],
  },
  handle: ({ service }, req, res) => {
    const { reader, unread, ...asked } = parseQuery(query, req);
    if ((reader === undefined) !== (unread === undefined))
      throw invalidInput('reader: goes with unread=true, and that with a reader');
    sendJson(
      res,
      service.sessions.page({ ...asked, ...(reader === undefined ? {} : { unread_by: reader }) }),
    );
  },
};
