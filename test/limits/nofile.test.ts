import { expect, test } from 'vitest';
import { command, http, script, startDaemon, submitAndWait } from '../harness/index.js';
import { python, reachableDataDir } from './support.js';

/** Opens files until it may not, and says the number of the last descriptor. */
const OPEN = `import os
last = 0
try:
  while last < 5000: last = os.open("/dev/null", os.O_RDONLY)
except OSError as error: print(last, error.strerror)`;

test.each([[[]], [['--task-user', '64999']]])(
  'who opens more files than its limit is refused, and the limit is for each process; flags %j',
  async (flags) => {
    const daemon = await startDaemon({ dataDir: reachableDataDir(), flags });
    for (const sandbox of [{}, { profile: 'linux_sandbox' }]) {
      const end = await submitAndWait(daemon, python(OPEN, { limits: { nofile: 40 }, sandbox }));
      expect(end).toMatchObject({
        status: 'success',
        stdout: '39 Too many open files\n',
        execution_plan: {
          degraded: false,
          resource_enforcement: {
            nofile: 40,
            nofile_enforced: true,
            nofile_mechanism: 'rlimit',
            nofile_scope: 'per_process',
          },
        },
      });
    }
  },
);

test('it can be more than a task has without it, and is as little as a shell needs', async () => {
  const daemon = await startDaemon();
  const more = await submitAndWait(daemon, python(OPEN, { limits: { nofile: 3000 } }));
  expect(more.stdout).toBe('2999 Too many open files\n');
  const least = await submitAndWait(
    daemon,
    script('ulimit -n; echo $(echo inside)', { limits: { nofile: 16 } }),
  );
  expect(least).toMatchObject({ status: 'success', stdout: '16\ninside\n' });
  const refused = await http(daemon.url).post(
    '/api/v1/tasks',
    command('true', [], { limits: { nofile: 15 } }),
  );
  expect(refused.body.error).toMatchObject({
    code: 'invalid_input',
    message: expect.stringContaining('at least 16'),
  });
});
