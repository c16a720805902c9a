import type { Migration } from './migration.js';

/** Whom a queue tells of ends, as JSON; null: nobody. */
export const queueNotify: Migration = {
  id: 17,
  name: 'queue-notify',
  sql: `
ALTER TABLE queues ADD COLUMN notify TEXT CHECK (notify IS NULL OR (json_valid(notify) AND json_type(notify) = 'array'));
`,
};
