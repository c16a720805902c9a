import type { Migration } from './migration.js';

/** The older runtime wrote `exit_non_zero` where it said `exit_nonzero` on the wire; the cause of such an end is its exit. */
export const exitNonzero: Migration = {
  id: 7,
  name: 'exit-nonzero',
  sql: `
UPDATE tasks SET error_code = 'exit_nonzero', cause = 'exit' WHERE error_code = 'exit_non_zero' AND status = 'failed';
UPDATE tasks SET error_code = 'exit_nonzero' WHERE error_code = 'exit_non_zero';
UPDATE tasks SET error_json = json_set(error_json, '$.code', 'exit_nonzero')
  WHERE json_valid(error_json) AND json_extract(error_json, '$.code') = 'exit_non_zero';
INSERT INTO counters (name, value)
  SELECT 'error.exit_nonzero', value FROM counters WHERE name = 'error.exit_non_zero'
  ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
DELETE FROM counters WHERE name = 'error.exit_non_zero';
`,
};
