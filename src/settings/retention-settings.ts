import type { Setting } from './setting.js';

/** What is kept for how long, and how much of it: part of the settings of `execgo serve`. */
export const RETENTION_SETTINGS = {
  resultRetentionSecs: {
    flag: '--result-retention-secs <n>',
    kind: 'count',
    default: 604_800,
    help: 'how long ended tasks are kept',
  },
  idempotencyRetentionSecs: {
    flag: '--idempotency-retention-secs <n>',
    kind: 'count',
    min: 1,
    default: 2_592_000,
    help: 'how long idempotency keys are kept',
  },
  rememberEndsSecs: {
    flag: '--remember-ends-secs <n>',
    kind: 'count',
    default: 86_400,
    help: 'how long it is remembered how a removed task ended',
    more: ', for tasks that are to start after it',
  },
  retainMaxTasks: {
    flag: '--retain-max-tasks <n>',
    kind: 'count',
    default: 0,
    otherwise: 'no bound',
    help: 'how many ended tasks are kept',
  },
  retainMaxBytes: {
    flag: '--retain-max-bytes <n>',
    kind: 'count',
    default: 0,
    otherwise: 'no bound',
    help: 'disk space that ended tasks may take',
  },
  gcIntervalMs: {
    flag: '--gc-interval-ms <n>',
    kind: 'count',
    min: 1,
    default: 1000,
    help: 'how often tasks to be removed are looked for',
    more: ', and what else is due',
  },
} as const satisfies Readonly<Record<string, Setting>>;
