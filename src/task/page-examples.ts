import type { Answer, AnswerName } from './answers.js';

const StorageFigures = {
  ...{ files: 412, directories: 37, others: 2, bytes: 5_242_880, disk_bytes: 6_291_456 },
  digest: 'sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae',
  ...{ complete: true, measured_at: '2026-03-01T10:00:05.000Z', stale: false },
};

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
  SessionOutputPage: {
    pieces: [
      { task_id: 'build-17', attempt: 1, stream: 'stdout', offset: 0, next_offset: 3, data: 'ok\n' },
      { task_id: 'build-18', attempt: 1, stream: 'stderr', offset: 0, next_offset: 9, data: 'warning: ' },
    ],
    ...{ next: 'b3V0cHV0Ojk4OjE6MDo5', more: false, encoding: 'utf8' },
  },
  SessionReadMark: { session_id: 'refactor-42', reader: 'alice', version: 1, event_seq: 97 },
  StorageFigures,
  SessionStorage: { session_id: 'refactor-42', ...StorageFigures },
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
    store: { ok: true, detail: 'the database can be read and written', migration: 31 },
    supervisor: { ok: true, detail: 'process 812' },
    disk: { ok: true, detail: '51200 MiB free', free_bytes: 53_687_091_200 },
  },
} satisfies { [N in AnswerName]?: Answer<N> };
