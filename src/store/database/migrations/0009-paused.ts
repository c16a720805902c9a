import type { Migration } from './migration.js';

/** Since when a running task is paused. */
export const paused: Migration = {
  id: 9,
  name: 'paused',
  sql: `
ALTER TABLE tasks ADD COLUMN paused_at_ms INTEGER CHECK (
  paused_at_ms IS NULL OR (typeof(paused_at_ms) = 'integer' AND paused_at_ms >= 0 AND status = 'running')
);
`,
};
