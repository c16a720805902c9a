import type { Migration } from './migration.js';

const ENDS = `
  success INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  cancelled INTEGER NOT NULL DEFAULT 0`;
const COUNTED = `sum(status = 'success'), sum(status = 'failed'), sum(status = 'cancelled')
  FROM tasks WHERE status IN ('success', 'failed', 'cancelled') AND typeof(queue) = 'text'`;

/**
 * The rules of queues, and how many ended tasks each queue and each lane has. A version is never given twice, so that who has
 * seen one can tell whether the rule is still the same.
 */
export const queues: Migration = {
  id: 10,
  name: 'queues',
  sql: `
CREATE TABLE queues (
  version INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  max_running INTEGER CHECK (max_running >= 0),
  max_waiting INTEGER CHECK (max_waiting >= 0),
  paused INTEGER NOT NULL CHECK (paused IN (0, 1)),
  priority INTEGER NOT NULL,
  default_limits TEXT NOT NULL CHECK (json_valid(default_limits) AND json_type(default_limits) = 'object'),
  lanes TEXT NOT NULL CHECK (json_valid(lanes) AND json_type(lanes) = 'object'),
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE queue_ends (queue TEXT PRIMARY KEY, ${ENDS}) STRICT, WITHOUT ROWID;
CREATE TABLE lane_ends (queue TEXT, lane TEXT, ${ENDS}, PRIMARY KEY (queue, lane)) STRICT, WITHOUT ROWID;
INSERT INTO queue_ends SELECT queue, ${COUNTED} GROUP BY queue;
INSERT INTO lane_ends SELECT queue, lane, ${COUNTED} AND typeof(lane) = 'text' GROUP BY queue, lane;
`,
};
