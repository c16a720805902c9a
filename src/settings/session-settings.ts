import type { Setting } from './setting.js';

/** How many sessions there may be, and how long they are kept. */
export const SESSION_SETTINGS = {
  maxSessions: {
    flag: '--max-sessions <n>',
    kind: 'count',
    default: 10_000,
    help: 'how many sessions there may be',
  },
  sessionIdleSecs: {
    flag: '--session-idle-secs <n>',
    kind: 'count',
    default: 604_800,
    help: 'after how long without a task a session is evicted, with its files; 0: never',
  },
  sessionTombstoneSecs: {
    flag: '--session-tombstone-secs <n>',
    kind: 'count',
    min: 1,
    default: 2_592_000,
    help: 'how long it is remembered that a session was evicted',
  },
  maxFileBytes: {
    flag: '--max-file-bytes <n>',
    kind: 'count',
    min: 1,
    default: 1_073_741_824,
    help: 'how large a file may be that is put into a workspace',
  },
} as const satisfies Readonly<Record<string, Setting>>;
