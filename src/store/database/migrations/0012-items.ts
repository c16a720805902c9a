import type { Migration } from './migration.js';

/** Which items of named resources a task has for itself, by the names of the resources; kept after its end. */
export const items: Migration = {
  id: 12,
  name: 'items',
  sql: `
ALTER TABLE tasks ADD COLUMN items_json TEXT CHECK (
  items_json IS NULL OR (json_valid(items_json) AND json_type(items_json) = 'object')
);
`,
};
