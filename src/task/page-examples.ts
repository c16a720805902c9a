import type { Answer, AnswerName } from './answers.js';

/** Examples of what is told of many tasks, and of the daemon, in the specification. */
export const pageExamples = {
  ChangesPage: {
    tasks: [
      {
        ...{ task_id: 'build-18', handle_id: 'build-18', status: 'accepted', version: 4713, attempt: 0 },
        ...{ created_at: '2026-03-01T10:00:00.679Z', updated_at: '2026-03-01T10:00:00.679Z' },
        ...{ kill_requested: false, tenant: 'ci', queue: 'default', priority: 0, command: 'make test' },
      },
    ],
    deleted: [{ task_id: 'build-3', version: 4712, deleted_at: '2026-03-01T10:00:00.500Z' }],
    version: 4713,
  },
  EventPage: {
    events: [
      {
        ...{ seq: 120, task_seq: 5, task_id: 'build-17', handle_id: 'build-17' },
        ...{ event_type: 'failed', type: 'task_failed', timestamp: '2026-03-01T10:00:04.321Z' },
        message: 'task failed',
      },
    ],
    last_seq: 340,
  },
  Snapshot: {
    ...{ generated_at: '2026-03-01T10:00:05.000Z', version: 4713, last_seq: 340 },
    counts: { accepted: 1, running: 0 },
    ended: { success: 40, failed: 1, cancelled: 0 },
    ...{ slots_in_use: 0, slots: 4, oldest_waiting_ms: 4321, started_per_minute: 3, ended_per_minute: 2 },
    running: [],
    next: [
      {
        ...{ task_id: 'build-18', handle_id: 'build-18', status: 'accepted', version: 4713, attempt: 0 },
        ...{ created_at: '2026-03-01T10:00:00.679Z', updated_at: '2026-03-01T10:00:00.679Z' },
        ...{ kill_requested: false, tenant: 'ci', queue: 'default', priority: 0, command: 'make test' },
      },
    ],
    last: [],
  },
  BulkAnswer: {
    action: 'kill',
    dry_run: true,
    items: [
      { task_id: 'build-18', status: 'accepted', version: 4713 },
      {
        task_id: 'build-17',
        error: {
          code: 'permission_denied',
          message: 'permission denied: x-execgo-owner does not match the owner of the task',
        },
      },
    ],
    done: 1,
    refused: 1,
  },
  Readiness: {
    accepting: { ok: true, detail: 'tasks are accepted' },
    store: { ok: true, detail: 'the database can be read and written', migration: 27 },
    supervisor: { ok: true, detail: 'process 812' },
    disk: { ok: true, detail: '51200 MiB free', free_bytes: 53_687_091_200 },
  },
} satisfies { [N in AnswerName]?: Answer<N> };
