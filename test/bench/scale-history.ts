import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { readBootId } from '../../src/sandbox/process/process-identity.js';
import { DATABASE_FILE } from '../../src/store/open.js';
import { RetentionClock, type ClockMark } from '../../src/store/retention-clock.js';
import { uptimeMs } from '../../src/store/database/uptime.js';
import type { BenchContext } from './bench.js';
import { seedFinished } from './seed.js';
import type { Templates } from './seed-templates.js';

/** Finished tasks whose status is read in turn: more would not be in the processor's caches either. */
const SAMPLE = 500;
/** How far two readings of one retention clock may be apart, in milliseconds: the system tells its uptime in hundredths of a second. */
const CLOCK_SLACK_MS = 50;
/** What the daemon has written in the directory of every ended task and looks at for its status. */
const FILES = { 'result.json': '{}\n', 'stdout.log': 'some output\n', 'stderr.log': '' };

/** A data directory as a daemon leaves it that has run nothing. */
export async function emptyHistory(
  { startDaemon }: Pick<BenchContext, 'startDaemon'>,
  templates: Templates,
): Promise<History> {
  const daemon = await startDaemon();
  await daemon.end();
  return new History(daemon.dataDir, templates);
}

/** The history in a data directory. */
export class History {
  readonly #database: string;

  constructor(
    /** Absolute; a daemon has made its database. */
    readonly dataDir: string,
    private readonly templates: Templates,
  ) {
    this.#database = join(dataDir, DATABASE_FILE);
  }

  /** Adds tasks until at least `count` have ended. The daemon must have stopped. */
  growTo(count: number): void {
    const missing = count - this.#read<number>('SELECT count(*) FROM tasks', []);
    if (missing <= 0) return;
    const { database: templates, dataDir: templatesDir } = this.templates;
    seedFinished({
      database: this.#database,
      dataDir: this.dataDir,
      templates,
      templatesDir,
      count: missing,
    });
  }

  /** Ids of ended tasks from all over the history but the `oldest`, with the files that belong to them. */
  sample(oldest: number): string[] {
    const spared = oldest === 0 ? 0 : this.#endOf(oldest) + CLOCK_SLACK_MS;
    const newest = this.#read<number>('SELECT max(submit_seq) FROM tasks', []);
    const ids = new Set<string>();
    for (let i = 0; i < SAMPLE; i++) {
      // An even grid would read the same kind of task every time.
      const from = Math.floor(((i + Math.random()) / SAMPLE) * newest);
      const id = this.#read<string | undefined>(
        'SELECT task_id FROM tasks WHERE submit_seq >= ? AND ages_from_ms > ? LIMIT 1',
        [from, spared],
      );
      if (id !== undefined) ids.add(id);
    }
    for (const id of ids) {
      const dir = join(this.dataDir, 'tasks', id);
      mkdirSync(dir, { recursive: true });
      for (const [name, text] of Object.entries(FILES)) writeFileSync(join(dir, name), text);
    }
    return [...ids];
  }

  /** Age in milliseconds that the `count` oldest tasks have reached by the daemon's clock, and hardly any other. */
  ageOfOldest(count: number): number {
    const mark = this.#read<string | undefined>("SELECT value FROM meta WHERE key = 'retention_clock'", []);
    const clock = new RetentionClock(mark === undefined ? undefined : (JSON.parse(mark) as ClockMark), {
      wallMs: Date.now,
      uptimeMs: uptimeMs(),
      bootId: readBootId(),
    });
    return clock.now() - CLOCK_SLACK_MS - this.#endOf(count);
  }

  /** When the last of the `count` oldest tasks ended, in Unix milliseconds. */
  #endOf(count: number): number {
    return this.#read(
      `SELECT ages_from_ms FROM tasks WHERE pinned = 0 AND ages_from_ms IS NOT NULL
       ORDER BY ages_from_ms, submit_seq LIMIT 1 OFFSET ?`,
      [count - 1],
    );
  }

  #read<T>(sql: string, values: unknown[]): T {
    const db = new Database(this.#database, { readonly: true });
    try {
      return db
        .prepare(sql)
        .pluck()
        .get(...values) as T;
    } finally {
      db.close();
    }
  }
}
