/** Where a test can make the supervisor die: the moments between which a crash must lose nothing. */
export type CrashPoint =
  | 'before_began'
  | 'after_began'
  | 'after_spawn'
  | 'before_outcome_journal'
  | 'after_outcome_journal'
  | 'after_outcome_told'
  | 'before_ack_journal';

/** Kills this process with SIGKILL when `EXECGO_CRASH_AT` names this point. Tasks never inherit that variable. */
export function crashPoint(name: CrashPoint): void {
  if (process.env.EXECGO_CRASH_AT === name) process.kill(process.pid, 'SIGKILL');
}
