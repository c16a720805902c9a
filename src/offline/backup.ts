import path from 'node:path';
import { backupDatabase } from '../store/database/backup.js';
import { DATABASE_FILE } from '../store/open.js';
import { requireDatabase } from './readable.js';

/**
 * Copies the database of a data directory, as it is at one moment, to a new file; a daemon may be running.
 * @returns the size of the copy in bytes
 * @throws ExecgoError `conflict` when `target` exists, `internal` when the database is damaged, `not_found` or
 *   `permission_denied` when there is none or it cannot be read, `invalid_input` when the copy cannot be made there
 */
export async function backUp(dataDir: string, target: string): Promise<number> {
  requireDatabase(dataDir);
  return backupDatabase(path.join(dataDir, DATABASE_FILE), target);
}
