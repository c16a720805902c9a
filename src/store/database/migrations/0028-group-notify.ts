import type { Migration } from './migration.js';

/**
 * Whom a group tells when it is done, as JSON; null: nobody. A message about that belongs to the task whose end it was, and to the
 * group, of which no tenant is an empty name.
 */
export const groupNotify: Migration = {
  id: 28,
  name: 'group-notify',
  sql: `
ALTER TABLE groups ADD COLUMN notify TEXT CHECK (notify IS NULL OR (json_valid(notify) AND json_type(notify) = 'array'));
ALTER TABLE outbox ADD COLUMN group_tenant TEXT;
ALTER TABLE outbox ADD COLUMN group_name TEXT;
CREATE INDEX idx_outbox_group ON outbox (group_tenant, group_name, id) WHERE group_name IS NOT NULL;
`,
};
