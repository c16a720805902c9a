import type { Migration } from './migration.js';

/** The submit body as it was sent; null for tasks of earlier versions, which did not keep it. */
export const sentRequest: Migration = {
  id: 6,
  name: 'sent-request',
  sql: 'ALTER TABLE tasks ADD COLUMN sent_json TEXT;',
};
