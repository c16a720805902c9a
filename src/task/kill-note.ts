/** What is kept of a kill beside that it was asked for. */
export interface KillNote {
  /** Why, in the words of who asked. */
  reason?: string | undefined;
  /** In whose name: the owner that the request named. */
  by?: string | undefined;
}

/** The longest reason, in characters. */
export const KILL_REASON_MAX = 1_000;
