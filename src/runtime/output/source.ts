/** One stream of one task, and what is known about it. Sizes are bytes. */
export interface OutputSource {
  /** Absolute. */
  dataDir: string;
  taskId: string;
  stream: 'stdout' | 'stderr';
  /** Whose output it is, from 1 on. */
  attempt: number;
  /** How much of it a status shows: `stdout_max_bytes`, `stderr_max_bytes`. */
  maxBytes: number;
  /** True once the task is terminal and no more bytes will follow. */
  final: boolean;
  /** What the task wrote in all, if a final count was recorded. */
  totalBytes?: number | undefined;
  /** What is known to be missing, in words. */
  warnings?: readonly string[] | undefined;
}
