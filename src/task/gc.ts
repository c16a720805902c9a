/** What is to be collected, and whether it really is. */
export interface GcRequest {
  /** Milliseconds since their end; absent: what the daemon was told to keep. */
  older_than_ms?: number | undefined;
  /** Only say what would be removed. */
  dry_run?: boolean | undefined;
}

/** How many ids or sentences a report lists. */
export const GC_IDS_MAX = 1000;
