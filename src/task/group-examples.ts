import type { Answer } from './answers.js';

/** Examples of what is told of groups, and of tasks that are run again. */
export const groupExamples: { GroupView: Answer<'GroupView'>; RetryAnswer: Answer<'RetryAnswer'> } = {
  GroupView: {
    group: 'nightly',
    tenant: 'ci',
    generated_at: '2026-03-01T10:00:05.000Z',
    counts: { accepted: 3, running: 2, success: 40, failed: 1, cancelled: 0 },
    done: false,
    max_failures: 5,
    failures: [
      {
        task_id: 'build-17',
        cause: 'exit',
        exit_code: 2,
        error: { code: 'exit_nonzero', message: 'task exited with code 2' },
        finished_at: '2026-03-01T10:00:04.321Z',
      },
    ],
    notify: [{ when: ['failed'], to: 'https://ci.example.com', signed: true }],
    notifications: [],
  },
  RetryAnswer: {
    task_id: '0mcq1t-7c1e',
    handle_id: '0mcq1t-7c1e',
    status: 'accepted',
    retry_of: 'build-17',
    created: true,
  },
};
