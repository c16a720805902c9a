import type { Migration } from './migration.js';

/**
 * Whose child a task is, as its request says. `family_killed` of a task: it was killed with its children, so that nothing may become a
 * child of it, or of one of them, any more.
 */
export const parents: Migration = {
  id: 24,
  name: 'parents',
  sql: `
ALTER TABLE tasks ADD COLUMN parent_task_id TEXT;
ALTER TABLE tasks ADD COLUMN family_killed INTEGER NOT NULL DEFAULT 0 CHECK (family_killed IN (0, 1));
CREATE INDEX idx_tasks_parent ON tasks (parent_task_id) WHERE parent_task_id IS NOT NULL;
`,
};
