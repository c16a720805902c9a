import type Database from 'better-sqlite3';
import { ExecgoError } from '../../task/errors.js';
import { MIGRATIONS } from './migrations/index.js';
import { checksum, type Migration } from './migrations/migration.js';
import { DISK_FULL, sqliteCode } from './sqlite-error.js';

interface AppliedMigration {
  id: number;
  name: string;
  checksum: string;
}

/** The migrations that the database records as applied; empty for a new one, and for one of the older runtime. */
function appliedMigrations(db: Database.Database): AppliedMigration[] {
  const recorded = db.prepare(
    "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'",
  );
  if (recorded.get() === undefined) return [];
  return db
    .prepare<[], AppliedMigration>('SELECT id, name, checksum FROM schema_migrations ORDER BY id')
    .all();
}

/** Why this version cannot use the database's schema, and what to do; undefined when it can. Only reads. */
export function schemaProblem(db: Database.Database): string | undefined {
  const applied = appliedMigrations(db);
  const newest = applied.at(-1);
  if (newest !== undefined && newest.id > MIGRATIONS.length)
    return `it was written by a newer execgo (migration ${newest.id} "${newest.name}"; this one knows ${MIGRATIONS.length}): start that version, or restore a backup made before the upgrade`;
  for (const [i, migration] of MIGRATIONS.entries()) {
    const found = applied[i];
    if (found === undefined) continue;
    if (found.id !== migration.id || found.checksum !== checksum(migration))
      return `its migration ${found.id} "${found.name}" is not the one this execgo knows (checksum differs): start the version that wrote it, or restore a backup`;
  }
  return undefined;
}

/** True while none of our migrations has been applied. */
export function isOfOlderRuntime(db: Database.Database): boolean {
  return appliedMigrations(db).length === 0;
}

/** True when no migration is missing. */
export function isUpToDate(db: Database.Database): boolean {
  return appliedMigrations(db).length >= MIGRATIONS.length;
}

/**
 * Applies the missing migrations, each in one transaction: an interrupted one changes nothing. Foreign keys are off
 * meanwhile and checked before each commit.
 * @throws ExecgoError `internal` that names the migration; the database is as it was before that one
 */
export function migrate(db: Database.Database, now: () => number): void {
  const missing = MIGRATIONS.slice(appliedMigrations(db).length);
  if (missing.length === 0) return;
  db.function('now_ms', now);
  db.pragma('foreign_keys = OFF');
  for (const migration of missing) {
    try {
      db.transaction(() => apply(db, migration, now())).immediate();
    } catch (error) {
      throw new ExecgoError(
        'internal',
        `migration ${migration.id} "${migration.name}" of ${db.name} failed, and the database was left as it was: ${whyNot(error)}`,
      );
    }
  }
  db.pragma('foreign_keys = ON');
}

function whyNot(error: unknown): string {
  return sqliteCode(error) === 'SQLITE_FULL' ? DISK_FULL : String(error);
}

function apply(db: Database.Database, migration: Migration, nowMs: number): void {
  migration.before?.(db);
  db.exec(migration.sql);
  db.exec(`CREATE TABLE IF NOT EXISTS schema_migrations (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at_ms INTEGER NOT NULL)`);
  db.prepare('INSERT INTO schema_migrations (id, name, checksum, applied_at_ms) VALUES (?, ?, ?, ?)').run(
    migration.id,
    migration.name,
    checksum(migration),
    nowMs,
  );
  // The older runtime may have left events whose task is gone; those were there before our first migration.
  const dangling =
    migration.id > 1 ? db.prepare('SELECT count(*) FROM pragma_foreign_key_check').pluck().get() : 0;
  if (dangling !== 0) throw new Error(`${String(dangling)} rows refer to rows that do not exist`);
}
