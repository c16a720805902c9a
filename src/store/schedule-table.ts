import type Database from 'better-sqlite3';
import type { ScheduleRun } from '../task/schedules.js';
import { isPlainObject } from '../task/plain-object.js';
import { parseJson } from './database/json.js';
import type { Sequence } from './sequence.js';

/** A schedule as it is stored, beside the body of its task. Times are Unix milliseconds. */
export interface StoredSchedule {
  schedule_id: number;
  name: string;
  /** No other state of any schedule has it, nor ever had. */
  version: number;
  /** See `ScheduleSpec`: what is stored may be anything. */
  spec: unknown;
  paused: boolean;
  /** From when on an interval counts. */
  anchor_ms: number;
  /** The next due time that nothing was decided of; undefined: there is none, or it is paused. */
  next_due_ms: number | undefined;
  created_at_ms: number;
  updated_at_ms: number;
}

/** What a change makes of a schedule. */
export type ScheduleState = Pick<StoredSchedule, 'spec' | 'paused' | 'anchor_ms' | 'next_due_ms'> & {
  /** The submit body as JSON. */
  task: string;
  at_ms: number;
};

/** What became of one due time, or what somebody asked for. */
export interface StoredRun {
  run_id: number;
  due_ms: number;
  at_ms: number;
  manual: boolean;
  outcome: ScheduleRun['outcome'];
  task_id: string | null;
  count: number | null;
  /** JSON: a text, or the body of an error. */
  detail: unknown;
}

export type NewRun = Pick<StoredRun, 'due_ms' | 'outcome'> & { count?: number; detail?: string };

interface ScheduleRow extends Omit<StoredSchedule, 'spec' | 'paused' | 'next_due_ms'> {
  spec: string;
  paused: number;
  next_due_ms: number | null;
}
/** The next due time that nothing was decided of, and the last one of which something was. */
interface Progress {
  next_due_ms: number | null;
  last_due_ms: number | null;
}
interface RunRow extends Omit<StoredRun, 'manual' | 'detail'> {
  manual: number;
  detail: string | null;
}

/** How much history of a schedule is kept, beside what waits and whose task has not ended. */
const RUNS_KEPT = 100;
const COLUMNS =
  'schedule_id, name, version, spec, paused, anchor_ms, next_due_ms, created_at_ms, updated_at_ms';

/** Schedules, and what became of their due times. What writes is to be called in a transaction. */
export class ScheduleTable {
  readonly #all: Database.Statement<[], ScheduleRow>;
  readonly #task: Database.Statement<[number], string>;
  readonly #insert: Database.Statement<[Record<string, unknown>], ScheduleRow>;
  readonly #update: Database.Statement<[Record<string, unknown>], ScheduleRow>;
  readonly #delete: Database.Statement<[number]>;
  readonly #advance: Database.Statement<[Record<string, unknown>]>;
  readonly #progress: Database.Statement<[Record<string, unknown>], Progress>;
  readonly #addRun: Database.Statement<[Record<string, unknown>], RunRow>;
  readonly #settle: Database.Statement<[Record<string, unknown>]>;
  readonly #supersede: Database.Statement<[Record<string, unknown>]>;
  readonly #prune: Database.Statement<[Record<string, unknown>]>;
  readonly #runs: Database.Statement<[number, number], RunRow>;
  readonly #waiting: Database.Statement<[], RunRow & { schedule_id: number }>;
  readonly #live: Database.Statement<[], { schedule_id: number; task_id: string }>;

  constructor(
    db: Database.Database,
    private readonly versions: Sequence,
  ) {
    this.#all = db.prepare(`SELECT ${COLUMNS} FROM schedules ORDER BY name`);
    this.#task = db.prepare<[number], string>('SELECT task FROM schedules WHERE schedule_id = ?').pluck();
    this.#insert = db.prepare(`INSERT INTO schedules
      (name, version, spec, task, paused, anchor_ms, next_due_ms, created_at_ms, updated_at_ms)
      SELECT @name, @version, @spec, @task, @paused, @anchor_ms, @next_due_ms, @at_ms, @at_ms
      WHERE NOT EXISTS (SELECT 1 FROM schedules WHERE name = @name)
      RETURNING ${COLUMNS}`);
    this.#update =
      db.prepare(`UPDATE schedules SET version = @version, spec = @spec, task = @task, paused = @paused,
      anchor_ms = @anchor_ms, next_due_ms = @next_due_ms, updated_at_ms = @at_ms
      WHERE schedule_id = @schedule_id AND version = @from_version RETURNING ${COLUMNS}`);
    this.#delete = db.prepare('DELETE FROM schedules WHERE schedule_id = ?');
    this.#advance = db.prepare(`UPDATE schedules SET next_due_ms = @next_due_ms
      WHERE schedule_id = @schedule_id AND version = @version AND next_due_ms = @from_due_ms`);
    this.#progress = db.prepare(`SELECT next_due_ms,
      (SELECT max(due_ms) FROM schedule_runs WHERE schedule_id = @schedule_id AND manual = 0) AS last_due_ms
      FROM schedules WHERE schedule_id = @schedule_id`);
    this.#addRun =
      db.prepare(`INSERT INTO schedule_runs (schedule_id, due_ms, at_ms, manual, outcome, task_id, count, detail)
      VALUES (@schedule_id, @due_ms, @at_ms, @manual, @outcome, @task_id, @count, @detail) RETURNING *`);
    this.#settle =
      db.prepare(`UPDATE schedule_runs SET outcome = @outcome, task_id = @task_id, detail = @detail, at_ms = @at_ms
      WHERE run_id = @run_id AND outcome = 'waiting'`);
    this.#supersede =
      db.prepare(`UPDATE schedule_runs SET outcome = 'skipped', detail = @detail, at_ms = @at_ms
      WHERE schedule_id = @schedule_id AND outcome = 'waiting'`);
    this.#prune =
      db.prepare(`DELETE FROM schedule_runs WHERE schedule_id = @schedule_id AND outcome <> 'waiting'
      AND run_id <= coalesce((SELECT run_id FROM schedule_runs WHERE schedule_id = @schedule_id
        ORDER BY run_id DESC LIMIT 1 OFFSET @kept), 0)
      AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.task_id = schedule_runs.task_id AND status IN ('accepted', 'running'))`);
    this.#runs = db.prepare('SELECT * FROM schedule_runs WHERE schedule_id = ? ORDER BY run_id DESC LIMIT ?');
    this.#waiting = db.prepare("SELECT * FROM schedule_runs WHERE outcome = 'waiting' ORDER BY run_id");
    this.#live = db.prepare(`SELECT schedule_id, task_id FROM tasks INDEXED BY idx_tasks_status
      JOIN schedule_runs USING (task_id) WHERE status IN ('accepted', 'running')`);
  }

  all(): StoredSchedule[] {
    return this.#all.all().map(read);
  }

  /** The submit body as JSON; undefined when there is no such schedule any more. */
  task(scheduleId: number): string | undefined {
    return this.#task.get(scheduleId);
  }

  /** Undefined: the name is taken. */
  insert(name: string, { spec, paused, next_due_ms, ...state }: ScheduleState): StoredSchedule | undefined {
    const row = this.#insert.get({
      ...state,
      name,
      version: this.versions.next(),
      spec: JSON.stringify(spec),
      paused: paused ? 1 : 0,
      next_due_ms: next_due_ms ?? null,
    });
    return row && read(row);
  }

  /** How far it has come, in the present transaction: null where there is none. */
  progress(schedule_id: number): Progress {
    return this.#progress.get({ schedule_id }) ?? { next_due_ms: null, last_due_ms: null };
  }

  /** Undefined: it has been changed meanwhile, or deleted. */
  update(
    { schedule_id, version }: StoredSchedule,
    { spec, paused, next_due_ms, ...state }: ScheduleState,
  ): StoredSchedule | undefined {
    const row = this.#update.get({
      ...state,
      schedule_id,
      from_version: version,
      version: this.versions.next(),
      spec: JSON.stringify(spec),
      paused: paused ? 1 : 0,
      next_due_ms: next_due_ms ?? null,
    });
    return row && read(row);
  }

  /** Deletes it with its history. False: there is none. */
  delete(scheduleId: number): boolean {
    return this.#delete.run(scheduleId).changes > 0;
  }

  /**
   * Goes on to the next due time, and writes down what was decided of those until then.
   * @param decided.supersedes why no earlier due time waits any more; undefined: they do
   * @returns the new rows; undefined when it is not any more as `schedule` says: then nothing is written
   */
  advance(
    { schedule_id, version, next_due_ms: from_due_ms }: StoredSchedule,
    decided: { runs: readonly NewRun[]; supersedes: string | undefined; next_due_ms: number | undefined },
    at_ms: number,
  ): StoredRun[] | undefined {
    const { runs, supersedes, next_due_ms } = decided;
    const moved = this.#advance.run({ schedule_id, version, from_due_ms, next_due_ms: next_due_ms ?? null });
    if (moved.changes === 0) return undefined;
    if (supersedes !== undefined)
      this.#supersede.run({ schedule_id, at_ms, detail: JSON.stringify(supersedes) });
    const added = runs.map((run) => this.#add(schedule_id, { ...run, at_ms, manual: 0, task_id: null }));
    this.#prune.run({ schedule_id, kept: RUNS_KEPT });
    return added;
  }

  /** Says what became of a due time that waits. False: that was said before. */
  settle(
    run_id: number,
    outcome: 'submitted' | 'refused',
    { task_id, detail }: { task_id?: string; detail?: unknown },
    at_ms: number,
  ): boolean {
    const text = detail === undefined ? null : JSON.stringify(detail);
    return this.#settle.run({ run_id, outcome, task_id: task_id ?? null, detail: text, at_ms }).changes > 0;
  }

  /** Writes down a task that somebody asked for. */
  addManual(schedule_id: number, task_id: string, at_ms: number): void {
    this.#add(schedule_id, { due_ms: at_ms, outcome: 'submitted', at_ms, manual: 1, task_id });
    this.#prune.run({ schedule_id, kept: RUNS_KEPT });
  }

  /** The last runs, newest first. */
  runs(scheduleId: number, limit: number): StoredRun[] {
    return this.#runs.all(scheduleId, limit).map(readRun);
  }

  /** Every due time that waits, in order. */
  waiting(): (StoredRun & { schedule_id: number })[] {
    return this.#waiting.all().map((row) => ({ ...readRun(row), schedule_id: row.schedule_id }));
  }

  /** Every task of a schedule that has not ended. */
  liveTasks(): { schedule_id: number; task_id: string }[] {
    return this.#live.all();
  }

  #add(
    schedule_id: number,
    run: NewRun & { at_ms: number; manual: 0 | 1; task_id: string | null },
  ): StoredRun {
    const detail = run.detail === undefined ? null : JSON.stringify(run.detail);
    const row = this.#addRun.get({ ...run, schedule_id, count: run.count ?? null, detail });
    if (row === undefined) throw new Error('an INSERT has returned no row');
    return readRun(row);
  }
}

function read({ spec, paused, next_due_ms, ...row }: ScheduleRow): StoredSchedule {
  const parsed = parseJson(spec);
  return {
    ...row,
    spec: isPlainObject(parsed) ? parsed : {},
    paused: paused === 1,
    next_due_ms: next_due_ms ?? undefined,
  };
}

function readRun({ manual, detail, ...row }: RunRow): StoredRun {
  return { ...row, manual: manual === 1, detail: detail === null ? undefined : parseJson(detail) };
}
