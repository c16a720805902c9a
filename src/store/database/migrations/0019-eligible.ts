import type { Migration } from './migration.js';

/**
 * From when on a waiting task may start, as far as that does not follow from its request: a time of the retention clock. A back-off is
 * one reason among others, so that the columns that only it had are empty from now on: to take them out would write every row anew.
 */
export const eligible: Migration = {
  id: 19,
  name: 'eligible',
  sql: `
ALTER TABLE tasks ADD COLUMN eligible_ms INTEGER CHECK (
  eligible_ms IS NULL OR (typeof(eligible_ms) = 'integer' AND status = 'accepted')
);
UPDATE tasks SET eligible_ms = retry_due_ms, waits_since_ms = NULL, retry_due_ms = NULL
  WHERE status = 'accepted' AND retry_due_ms IS NOT NULL;
`,
};
