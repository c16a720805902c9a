import type { Migration } from './migration.js';

/**
 * Idempotency keys expire. `ages_from_ms` is the retention clock when a key was first used; existing keys count as first
 * used now.
 */
export const keysEnd: Migration = {
  id: 5,
  name: 'keys-end',
  sql: `
ALTER TABLE idempotency_keys ADD COLUMN ages_from_ms INTEGER NOT NULL DEFAULT 0;
UPDATE idempotency_keys SET ages_from_ms = now_ms();
CREATE INDEX idx_idempotency_keys_ages ON idempotency_keys (ages_from_ms);
`,
};
