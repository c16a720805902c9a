import type { Migration } from './migration.js';

/** One more cause of an end. */
export const disk: Migration = {
  id: 13,
  name: 'disk',
  sql: `
ALTER TABLE tasks DROP CONSTRAINT cause_known;
ALTER TABLE tasks ADD CONSTRAINT cause_known CHECK (cause IN ('exit', 'signal', 'timeout', 'cancelled', 'oom', 'cpu',
  'output', 'launch', 'sandbox', 'queue_timeout', 'lost', 'dependency', 'disk'));
`,
};
