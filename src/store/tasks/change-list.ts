import { ExecgoError } from '../../task/errors.js';
import type { ChangesQuery } from '../../task/list.js';
import type { TaskRecord } from '../records.js';
import type { Sequence } from '../sequence.js';
import type { Tombstone, Tombstones } from '../tombstones.js';
import { decodeChangesCursor, encodeChangesCursor, type ChangesPosition } from './cursor.js';
import type { TaskList } from './task-list.js';

/** What has become of tasks since a version, a page of it. No task is in both. */
export interface ChangesPage {
  records: TaskRecord[];
  deleted: Tombstone[];
  /** The next page. */
  next_cursor?: string | undefined;
  /** On the last page: what to ask for the next time. */
  version?: number | undefined;
}

/**
 * The changes of tasks in the order in which they came, each task with the last of its own, for those who keep a copy of them.
 * Pages go up to the version that there was at the first of them: so they end however fast tasks change, and what changes
 * meanwhile is in the next round, nothing twice.
 */
export class ChangeList {
  constructor(
    private readonly tasks: TaskList,
    private readonly tombstones: Tombstones,
    private readonly versions: Sequence,
  ) {}

  /**
   * @param signal ends a search whose client has gone
   * @throws ExecgoError `gone` when not all is known any more that was deleted since; `invalid_input` for a cursor that no page
   *   returned
   */
  async page(
    { changed_after: from, limit, cursor, ...filter }: ChangesQuery,
    signal?: AbortSignal,
  ): Promise<ChangesPage> {
    const position = cursor === undefined ? undefined : decodeChangesCursor(from, cursor);
    const { at, to } = position ?? { at: from, to: this.versions.last };
    this.#check({ from, at, to });
    const found = await this.tasks.changes({ after: at, to, limit, ...filter }, signal);
    // Who knows nothing yet has nothing to delete but what is deleted while it reads.
    const deleted = from === 0 ? [] : this.tombstones.page(at, to, limit + 1, filter);
    this.#check({ from, at, to });
    const end = Math.min(found.next ?? to, endOf(found.records, deleted, limit) ?? to);
    const upTo = <T extends { version: number }>(all: T[]) => all.filter(({ version }) => version <= end);
    const records = upTo(found.records);
    const there = new Set(records.map(({ task_id }) => task_id));
    return {
      records,
      // An id may have been given again since.
      deleted: upTo(deleted).filter(({ task_id }) => !there.has(task_id)),
      ...(end < to ? { next_cursor: encodeChangesCursor({ from, at: end, to }) } : { version: to }),
    };
  }

  #check({ from, at, to }: ChangesPosition): void {
    const { last } = this.versions;
    const { forgotten } = this.tombstones;
    if (to > last || from > last)
      throw gone(
        `version ${Math.max(from, to)} has not been given here, the last is ${last}: the data directory is another one, or an older copy`,
        { last_version: last },
      );
    if ((from === 0 ? to : at) < forgotten)
      throw gone(
        `what was deleted after version ${from} is not all known any more, only after version ${forgotten}`,
        {
          oldest_version: forgotten,
          last_version: last,
        },
      );
  }
}

/** The last version of a page of so many entries, when there are more. */
function endOf(records: TaskRecord[], deleted: Tombstone[], limit: number): number | undefined {
  if (records.length + deleted.length <= limit) return undefined;
  const versions = [...records, ...deleted].map(({ version }) => version);
  return versions.sort((a, b) => a - b)[limit - 1];
}

function gone(why: string, details: object): ExecgoError {
  return new ExecgoError(
    'gone',
    `gone: ${why}; begin again after version 0, which tells all tasks, and forget those that are not among them`,
    details,
  );
}
