export const EVENT_TYPES = [
  'submitted',
  'accepted',
  'planned',
  'degraded',
  'edited',
  'eligible',
  'resource_reserved',
  'resource_released',
  'started',
  'paused',
  'resumed',
  'kill_requested',
  'timeout_triggered',
  'attempt_failed',
  'retry_scheduled',
  'finished',
  'failed',
  'cancelled',
  'group_done',
  'retried',
  'recovered',
  'command_added',
  'command_acknowledged',
  'command_finished',
  'commands_cancelled',
  'progress',
  'task_event',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** Which events are asked for; all that is given must hold. What is said of tasks is what they are now. */
export interface EventFilter {
  event_type?: EventType[] | undefined;
  tenant?: string | undefined;
  queue?: string | undefined;
  session_id?: string | undefined;
  group?: string | undefined;
  /** `key` or `key=value`. */
  label?: string | undefined;
}

/** One line of a task's history. `seq` orders all events of the daemon; `timestamp_ms` is Unix time. */
export interface TaskEvent {
  seq: number;
  /** Its number among those of its task, from 1 on; where it was read for somebody. */
  task_seq?: number | undefined;
  task_id: string;
  event_type: EventType;
  timestamp_ms: number;
  message: string | null;
  data: unknown;
}

/** An event that has no `seq` yet: the store assigns it when it writes the event. */
export interface NewEvent {
  event_type: EventType;
  timestamp_ms: number;
  message?: string | undefined;
  data?: unknown;
}

/** The name that the Go client has for each event type; `task_progressed` for types it does not know. */
export const CLIENT_EVENT_WORD: Readonly<Record<EventType, string>> = {
  submitted: 'task_submitted',
  accepted: 'task_accepted',
  planned: 'task_progressed',
  degraded: 'task_progressed',
  edited: 'task_progressed',
  eligible: 'task_progressed',
  resource_reserved: 'task_progressed',
  resource_released: 'task_progressed',
  started: 'task_started',
  paused: 'task_progressed',
  resumed: 'task_progressed',
  kill_requested: 'task_progressed',
  timeout_triggered: 'task_progressed',
  attempt_failed: 'task_progressed',
  retry_scheduled: 'task_progressed',
  finished: 'task_succeeded',
  failed: 'task_failed',
  cancelled: 'task_cancelled',
  group_done: 'task_progressed',
  retried: 'task_progressed',
  recovered: 'task_progressed',
  command_added: 'task_progressed',
  command_acknowledged: 'task_progressed',
  command_finished: 'task_progressed',
  commands_cancelled: 'task_progressed',
  progress: 'task_progressed',
  task_event: 'task_progressed',
};
