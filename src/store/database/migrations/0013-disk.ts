import type { Migration } from './migration.js';

/** One more cause of an end. That one is absent has to be said: the check of what is there takes NULL for a fault. */
export const disk: Migration = {
  id: 13,
  name: 'disk',
  sql: `
ALTER TABLE tasks DROP CONSTRAINT cause_known;
ALTER TABLE tasks ADD CONSTRAINT cause_known CHECK (cause IS NULL OR cause IN ('exit', 'signal', 'timeout', 'cancelled', 'oom', 'cpu',
  'output', 'launch', 'sandbox', 'queue_timeout', 'lost', 'dependency', 'disk'));
`,
};
