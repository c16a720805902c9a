/** What is to be collected, and whether it really is. */
export interface GcRequest {
  /** Milliseconds since their end; absent: what the daemon was told to keep. */
  older_than_ms?: number | undefined;
  /** Only say what would be removed. */
  dry_run?: boolean | undefined;
}

/** What a collection removed, or would remove. */
export interface GcReport {
  dry_run: boolean;
  /** Tasks that were due. */
  candidates: number;
  /** Tasks that are gone; 0 for a dry run. */
  removed: number;
  /** Disk space that was given back, or would be, in bytes. */
  bytes_freed: number;
  /** Ids of the candidates, the first {@link GC_IDS_MAX}. */
  tasks: string[];
  /** Tasks that are old enough and stay because they are pinned. */
  skipped_pinned: number;
  /** What could not be removed, and why, in sentences; the first {@link GC_IDS_MAX}. */
  problems: string[];
  duration_ms: number;
}

/** How many ids or sentences a report lists. */
export const GC_IDS_MAX = 1000;
