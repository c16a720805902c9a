import type { Migration } from './migration.js';

/** Whose task has said whom a group tells; null: one without an owner. The sessions of an owner are found without those of others. */
export const owners: Migration = {
  id: 33,
  name: 'owners',
  sql: `
ALTER TABLE groups ADD COLUMN notify_owner TEXT;
CREATE INDEX idx_sessions_owner ON sessions (owner, session_seq) WHERE owner IS NOT NULL;
`,
};
