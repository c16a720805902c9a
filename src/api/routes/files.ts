import { pipeline } from 'node:stream/promises';
import fs from 'node:fs';
import type { Request, Response } from 'express';
import type { FileOwner, ReadableFile } from '../../runtime/file-service.js';
import { invalidInput } from '../../task/errors.js';
import { PATH_NAMES_MAX } from '../../task/ids.js';
import { rangeOf } from '../byte-range.js';
import { OWNER_HEADER, ownerOf } from '../owner-header.js';
import { once, parseQuery, taskIdOf, word } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';
import { sessionIdOf, sessionQuery } from '../session-query.js';
import { receive } from '../receive.js';

const RANGE_HEADER = {
  range: 'One range of bytes, such as bytes=0-99; several are answered with the whole file.',
};
const mode = once('an octal mode')
  .regex(/^0?[0-7]{3}$/, 'must be an octal mode such as 644')
  .transform((text) => parseInt(text, 8))
  .meta({ type: 'string', description: 'The mode of the file, as chmod takes it; 644 by default.' })
  .default(0o644);
const fileQuery = sessionQuery.extend({
  tenant: word(
    'Whose session or task it must be: another tenant has none with this id. Without it, whoever has it.',
  ).optional(),
});
const listQuery = fileQuery.extend({
  path: word('The directory; the workspace itself without it.').optional(),
  after: word('Only entries whose names come after this one; next of the answer before.').optional(),
});
const putQuery = fileQuery.extend({ mode });
const ERRORS = [
  'invalid_input',
  'permission_denied',
  'not_found',
  'conflict',
  'session_evicted',
  'unavailable',
  'insufficient_storage',
] as const;

/** The names in a path; `/` between them. @throws ExecgoError `invalid_input` */
function namesIn(path: string): string[] {
  const names = path.replace(/\/$/, '').split('/');
  if (names.some((name) => name === '' || name === '.' || name === '..' || name.includes('\0')))
    throw invalidInput('path: must be relative, without "..", "." and empty names');
  if (names.length > PATH_NAMES_MAX) throw invalidInput(`path: must have at most ${PATH_NAMES_MAX} names`);
  return names;
}

function namesOf(req: Request): string[] {
  const { path } = req.params;
  return namesIn(typeof path === 'string' ? path : '');
}

/** The routes of the files of one kind of workspace. */
function routesOf(of: FileOwner['of']): readonly Route[] {
  const whose = of === 'session' ? 'a session' : 'a task, or of its session';
  const at = `/api/v1/${of}s/:id/files`;
  const ownerIn = (req: Request): FileOwner => ({
    of,
    id: of === 'session' ? sessionIdOf(req) : taskIdOf(req),
  });
  const list: Route = {
    method: 'get',
    path: at,
    doc: {
      summary: `List a directory in the workspace of ${whose}`,
      query: listQuery,
      answers: { 'application/json': 'FileList' },
      errors: ERRORS,
    },
    handle: async ({ service }, req, res) => {
      const { tenant, path, after } = parseQuery(listQuery, req);
      const names = path === undefined ? [] : namesIn(path);
      const caller = { tenant, owner: ownerOf(req) };
      sendJson(res, await service.files.list(ownerIn(req), names, caller, after));
    },
  };
  const get: Route = {
    method: 'get',
    path: `${at}/:path`,
    doc: {
      summary: `Read a file in the workspace of ${whose}`,
      query: fileQuery,
      headers: RANGE_HEADER,
      answers: { 'application/octet-stream': undefined },
      partial: true,
      errors: [...ERRORS, 'range_not_satisfiable'],
    },
    handle: async ({ service }, req, res) => {
      const { tenant } = parseQuery(fileQuery, req);
      const file = service.files.open(ownerIn(req), namesOf(req), { tenant, owner: ownerOf(req) });
      await send(req, res, file);
    },
  };
  const put: Route = {
    method: 'put',
    path: `${at}/:path`,
    doc: {
      summary: `Write a file into the workspace of ${whose}, in the place of one that is there; the body is its content`,
      query: putQuery,
      headers: OWNER_HEADER,
      content: 'application/octet-stream',
      answers: { 'application/json': 'FilePutAnswer' },
      errors: [...ERRORS, 'payload_too_large', 'unsupported_media_type'],
    },
    handle: async (ctx, req, res) => {
      const { tenant, mode: bits } = parseQuery(putQuery, req);
      const [owner, names] = [ownerIn(req), namesOf(req)];
      const announced = Number(req.headers['content-length'] ?? 0);
      const caller = { tenant, owner: ownerOf(req) };
      const answer = await receive(ctx, req, res, (content) =>
        ctx.service.files.put(owner, names, content, { mode: bits, announced }, caller),
      );
      sendJson(res, answer);
    },
  };
  const remove: Route = {
    method: 'delete',
    path: `${at}/:path`,
    doc: {
      summary: `Delete a file, or a directory with all in it, from the workspace of ${whose}`,
      query: fileQuery,
      headers: OWNER_HEADER,
      answers: { 'application/json': 'FileDeleteAnswer' },
      errors: ERRORS,
    },
    handle: async ({ service }, req, res) => {
      const { tenant } = parseQuery(fileQuery, req);
      sendJson(res, await service.files.remove(ownerIn(req), namesOf(req), { tenant, owner: ownerOf(req) }));
    },
  };
  return [list, get, put, remove];
}

/** Files of workspaces: the same for sessions and tasks. */
export const fileRoutes: readonly Route[] = [...routesOf('session'), ...routesOf('task')];

/** Sends a file, or the range of it that is asked for, and closes it. No browser shows it as a page of the daemon's. */
async function send(req: Request, res: Response, { fd, size, modifiedMs }: ReadableFile): Promise<void> {
  let isTaken = false;
  try {
    const range = req.headers['if-range'] === undefined ? rangeOf(req.headers.range, size) : undefined;
    const { start, end } = range ?? { start: 0, end: size };
    res.writeHead(range === undefined ? 200 : 206, {
      'content-type': 'application/octet-stream',
      'content-length': end - start,
      'content-disposition': 'attachment',
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
      'last-modified': new Date(modifiedMs).toUTCString(),
      ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
    });
    if (req.method === 'HEAD' || end === start) {
      res.end();
      return;
    }
    isTaken = true;
    const content = fs.createReadStream('', { fd, start, end: end - 1 });
    await pipeline(content, res, { end: false });
    // It has become shorter meanwhile: the client must not take what it has for all.
    if (content.bytesRead < end - start) res.destroy();
    else res.end();
  } catch (error) {
    if (!res.headersSent) throw error;
    res.destroy();
  } finally {
    if (!isTaken) fs.closeSync(fd);
  }
}
