import { createHash } from 'node:crypto';
import type Database from 'better-sqlite3';

/** One step of the schema. Once released its SQL never changes: databases carry its checksum. */
export interface Migration {
  id: number;
  name: string;
  /** May call `now_ms()`, Unix time in milliseconds. */
  sql: string;
  /** Changes that SQL alone cannot make; runs before {@link sql} in the same transaction. */
  before?: (db: Database.Database) => void;
}

/** SHA-256 of the migration's SQL text, hex. */
export function checksum(migration: Migration): string {
  return createHash('sha256').update(migration.sql).digest('hex');
}
