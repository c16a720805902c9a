import type { Core } from '../core.js';
import type { InlineTexts } from '../output/inline-text.js';
import type { FileThread } from './file-thread.js';
import { Tally } from './tally.js';

/** How many names of each kind of finding are logged. */
const NAMED = 20;

/** What was found and repaired. */
export interface Repairs {
  /** Task directories looked at. */
  directories: number;
  /** Entries of `trash/` that an earlier daemon left there. */
  trash: number;
  /** Entries of `tasks/` without a row, which were moved to the trash. */
  orphans: Tally;
  /** Ended tasks whose directory is gone: they keep their status, their output is lost. */
  without_directory: Tally;
  /** `result.json` was missing or cut off, and was written again from the row. */
  results: Tally;
  /** Half-written files that were removed. */
  temporary: Tally;
  /** Entries of `sessions/` without a row, which were moved to the trash. */
  orphan_sessions: Tally;
  /** Sessions whose workspace was gone: they have an empty one. */
  without_workspace: Tally;
}

/** What a repair works with. */
export type RepairCore = Omit<Core, 'announcer'> & { files: FileThread; inlineTexts: InlineTexts };

export function nothingFound(): Repairs {
  return {
    directories: 0,
    trash: 0,
    orphans: new Tally(NAMED),
    without_directory: new Tally(NAMED),
    results: new Tally(NAMED),
    temporary: new Tally(NAMED),
    orphan_sessions: new Tally(NAMED),
    without_workspace: new Tally(NAMED),
  };
}
