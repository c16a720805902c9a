/** Where one stream of one task is, and what is known about it. Sizes are bytes, paths absolute. */
export interface OutputSource {
  /** The log file with the first bytes. */
  path: string;
  /** The ring file with the last bytes; it exists once the stream has passed what is kept. */
  tailPath: string;
  /** How much of it a status shows: `stdout_max_bytes`, `stderr_max_bytes`. */
  maxBytes: number;
  /** True once the task is terminal and no byte will follow. */
  final: boolean;
  /** What the task wrote in all, where a final count was recorded. */
  totalBytes?: number | undefined;
}
