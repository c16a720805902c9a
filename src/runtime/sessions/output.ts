import { shownAttempt, type TaskRecord } from '../../store/records.js';
import type { StoredSession } from '../../store/session-table.js';
import { encodeCursor } from '../../store/tasks/cursor.js';
import { invalidInput } from '../../task/errors.js';
import type { OutputBytes, OutputStream } from '../../task/output.js';
import { PAGE_TASKS, type SessionOutputBytes, type SessionOutputQuery } from '../../task/session-output.js';
import { isTerminal } from '../../task/states.js';
import { readRange } from '../output/range.js';
import { sourceOf } from '../output/read-output.js';
import { cutRange, TEXT_MIN_BYTES } from '../output/text-range.js';
import type { Core } from '../core.js';
import { knownSession } from './view.js';

type OutputCore = Pick<Core, 'settings' | 'store' | 'live'>;

/** How far somebody has read. */
interface Place {
  /** Of the task; all before it were read. */
  seq: number;
  attempt: number;
  stdout: number;
  stderr: number;
}

const START = { attempt: 1, stdout: 0, stderr: 0 };

/** A page that is being filled. */
interface Filling {
  query: SessionOutputQuery;
  place: Place;
  /** Bytes that still go in. */
  left: number;
  pieces: SessionOutputBytes['pieces'];
}

/**
 * What the tasks of a session have written, one after another in the order of submission, each attempt after the one before. It goes on
 * only behind a task that has ended, so that nothing is missed and nothing comes twice.
 * @throws ExecgoError `not_found`; `invalid_input` for an `after` that no page had
 */
export async function sessionOutput(
  core: OutputCore,
  sessionId: string,
  query: SessionOutputQuery,
): Promise<SessionOutputBytes> {
  const session = knownSession(core, sessionId, query.tenant);
  const place =
    query.after === undefined ? { seq: session.born_seq, ...START } : placeIn(session, query.after);
  const page: Filling = { query, place, left: query.limit, pieces: [] };
  // That of the place itself first: it may have more.
  const before = encodeCursor({ order: 'oldest' }, { key: place.seq - 1, seq: place.seq - 1 });
  const { records, next_cursor } = await core.store.list.page({
    ...{ session_id: sessionId, order: 'oldest', limit: PAGE_TASKS, cursor: before },
  });
  let more = false;
  for (const record of records) {
    if (record.submit_seq <= session.born_seq) continue;
    if (record.submit_seq > page.place.seq) page.place = { seq: record.submit_seq, ...START };
    const state = await readTask(core, page, core.live.get(record.task_id)?.record ?? record);
    more = state === 'full';
    if (state !== 'over') break;
    page.place = { seq: record.submit_seq + 1, ...START };
    more = record !== records.at(-1) || next_cursor !== undefined;
  }
  return { pieces: page.pieces, next: textOf(page.place), more };
}

/** @returns over: all that it will ever write is read; full: there may be more, and no room; waits: there is no more for now */
async function readTask(
  core: OutputCore,
  page: Filling,
  task: TaskRecord,
): Promise<'over' | 'full' | 'waits'> {
  const streams: OutputStream[] =
    page.query.stream === undefined ? ['stdout', 'stderr'] : [page.query.stream];
  for (;;) {
    const isLast = page.place.attempt >= shownAttempt(task);
    let isRead = true;
    for (const stream of streams) {
      if (page.left < TEXT_MIN_BYTES) return 'full';
      const state = await readStream(core, page, task, stream);
      if (state === 'full') return 'full';
      isRead &&= state === 'over';
    }
    if (!isRead) return 'waits';
    if (isLast) return isTerminal(task.status) ? 'over' : 'waits';
    page.place = { ...page.place, ...START, attempt: page.place.attempt + 1 };
  }
}

async function readStream(
  core: OutputCore,
  page: Filling,
  task: TaskRecord,
  stream: OutputStream,
): Promise<'over' | 'full' | 'waits'> {
  const { place, query } = page;
  const source = sourceOf(core, task, stream, place.attempt);
  if (source.final && source.totalBytes === 0) return 'over';
  const asked = place[stream];
  const range: OutputBytes = { stream, ...(await readRange(source, asked, page.left)) };
  const { data, offset, next_offset } = cutRange(range, asked, query.encoding);
  const { warnings } = range;
  if (data.length > 0) {
    const omitted_bytes = offset > asked ? offset - asked : undefined;
    const { task_id } = task;
    page.pieces.push({
      task_id,
      attempt: place.attempt,
      stream,
      offset,
      next_offset,
      omitted_bytes,
      data,
      warnings,
    });
    page.left -= data.length;
    place[stream] = next_offset;
  }
  if (range.eof) return 'over';
  const isAll = next_offset >= range.total_bytes;
  // What is gone of a task that has ended does not come any more.
  if (data.length === 0) return source.final ? 'over' : 'waits';
  return isAll ? 'waits' : 'full';
}

/** An opaque text for a place. */
function textOf({ seq, attempt, stdout, stderr }: Place): string {
  return Buffer.from(`output:${seq}:${attempt}:${stdout}:${stderr}`).toString('base64url');
}

/** @throws ExecgoError `invalid_input` for a text that no page of this session had */
function placeIn({ born_seq }: StoredSession, after: string): Place {
  const form = /^output:(\d{1,16}):(\d{1,9}):(\d{1,16}):(\d{1,16})$/;
  const numbers = form.exec(Buffer.from(after, 'base64url').toString())?.slice(1).map(Number) ?? [];
  const [seq = -1, attempt = 0, stdout = 0, stderr = 0] = numbers;
  const place = { seq, attempt, stdout, stderr };
  if (textOf(place) !== after || seq < born_seq || attempt < 1 || !numbers.every(Number.isSafeInteger))
    throw invalidInput('after: is not one that a page of this session has told');
  return place;
}
