import fs from 'node:fs';
import type Database from 'better-sqlite3';
import { corruption, isDamage, openForReading, problemAt } from './inspect.js';

/** At most this many problems are listed; a damaged database can have millions. */
const MAX_FINDINGS = 100;

/**
 * True when a problem is damage for which a backup is needed. Problems with owner, rights or version say themselves how to
 * mend them.
 */
export function saysDamage(problem: string): boolean {
  return isDamage(problem) || !problem.startsWith('it ');
}

/**
 * Reads the whole database and says what is wrong with it, one sentence for each problem; empty when nothing is wrong. The
 * time it takes grows with the size of the database. Changes nothing, and may run beside a daemon.
 */
export function checkDatabase(path: string): string[] {
  if (!fs.existsSync(path)) return ['it does not exist'];
  let db: Database.Database | undefined;
  try {
    const problem = problemAt(path);
    if (problem !== undefined) return [problem];
    db = openForReading(path);
    const rows = db.pragma(`quick_check(${MAX_FINDINGS})`) as { quick_check: string }[];
    const findings = rows.map((row) => row.quick_check).filter((finding) => finding !== 'ok');
    const dangling = db.prepare('SELECT count(*) FROM pragma_foreign_key_check').pluck().get();
    if (dangling !== 0) findings.push(`${String(dangling)} rows refer to rows that do not exist`);
    return findings;
  } catch (error) {
    return [corruption(error)];
  } finally {
    db?.close();
  }
}
