import { dieAt } from '../supervisor/crash-point.js';

/** Steps at which a test can make the daemon die. A crash at any of them must lose nothing. */
export type CrashPoint =
  /** A supervisor listens, and is not in the database yet. */
  | 'before_supervisor_commit'
  | 'after_supervisor_commit'
  | 'before_submit_commit'
  /** Before a task that starts at once is launched, and before the client is answered. */
  | 'after_submit_commit'
  /** Before the client is answered. */
  | 'after_submit_launch'
  | 'before_edit_commit'
  /** Before the client is answered, and before it has its new place in the queue. */
  | 'after_edit_commit'
  | 'before_dispatch_commit'
  /** Before the supervisor is told. */
  | 'after_dispatch_commit'
  | 'before_started_commit'
  | 'after_started_commit'
  | 'before_pause_commit'
  /** Before the supervisor is told. */
  | 'after_pause_commit'
  | 'before_resume_commit'
  /** Before the supervisor is told. */
  | 'after_resume_commit'
  | 'before_kill_commit'
  /** Before the supervisor is told. */
  | 'after_kill_commit'
  /** Before the client is answered. */
  | 'after_kill_told'
  | 'before_timeout_commit'
  | 'after_timeout_commit'
  /** The outcome is known. */
  | 'before_result_written'
  /** Inside the transaction. */
  | 'after_result_written'
  /** Before the supervisor is told. */
  | 'after_end_commit'
  /** An attempt has failed, and another is to follow. */
  | 'before_retry_commit'
  /** Before the supervisor is told, and before the back-off begins. */
  | 'after_retry_commit'
  /** What follows from an end for the tasks after it. */
  | 'before_dependants_commit'
  | 'after_dependants_commit'
  /** Another task comes in the place of one that has ended. */
  | 'before_rerun_commit'
  | 'after_rerun_commit'
  | 'before_relaunch_commit'
  | 'after_relaunch_commit'
  /** The rule of a queue. */
  | 'before_queue_commit'
  /** Before it is in force, and before the client is answered. */
  | 'after_queue_commit'
  | 'before_queue_removal'
  | 'after_queue_removal'
  /** Nothing may become a child of the task any more. */
  | 'before_family_kill_commit'
  /** Before it, or any of its children, is killed. */
  | 'after_family_kill_commit'
  /** A task that follows another: the end is committed. */
  | 'before_follow_up'
  /** It is accepted. */
  | 'after_follow_up_commit'
  /** A message that a group is done. Inside the transaction. */
  | 'after_group_notice_written'
  /** A message about an end. */
  | 'before_notice_sent'
  /** It is answered, and not written down. */
  | 'after_notice_sent'
  | 'before_notice_commit'
  | 'after_notice_commit'
  /** How far somebody has seen a task, or a session. */
  | 'before_read_commit'
  /** Before the client is answered. */
  | 'after_read_commit'
  /** A session, with its directory. */
  | 'before_session_commit'
  /** Before the client is answered. */
  | 'after_session_commit'
  | 'before_session_edit'
  | 'after_session_edit'
  /** It takes no more tasks, and those that it has are to be ended. */
  | 'before_session_removal'
  | 'after_session_removal'
  | 'before_eviction_commit'
  /** Its directory is still there. */
  | 'after_eviction_commit'
  | 'after_eviction'
  | 'before_session_forgotten'
  /** Before the client is answered. */
  | 'after_session_forgotten'
  /** A schedule is made or changed. */
  | 'before_schedule_commit'
  /** Before it is in force, and before the client is answered. */
  | 'after_schedule_commit'
  | 'before_schedule_removal'
  | 'after_schedule_removal'
  /** A due time has come: it is written down, and the schedule goes on to the next. */
  | 'before_due_commit'
  | 'after_due_commit'
  /** Inside the transaction that accepts the task of a due time. */
  | 'before_due_submit_commit'
  | 'after_due_submit_commit'
  /** What a client says to a task. */
  | 'before_command_commit'
  /** Before the client is answered, and before the task is told. */
  | 'after_command_commit'
  /** The task has read a command, or carried it out. */
  | 'before_command_change'
  /** Before the task is answered. */
  | 'after_command_change'
  /** How far a task says that it is. */
  | 'before_progress_commit'
  /** Before the task is answered. */
  | 'after_progress_commit'
  /** What a task adds to its history. */
  | 'before_task_event_commit'
  /** Before the task is answered. */
  | 'after_task_event_commit'
  | 'before_supervisor_removal'
  | 'after_supervisor_removal';

/** Kills this process with SIGKILL when `EXECGO_DAEMON_CRASH_AT` names this point. Supervisors and tasks never inherit that variable. */
export function crashPoint(point: CrashPoint): void {
  dieAt(point, 'EXECGO_DAEMON_CRASH_AT');
}
