import { expect, it } from 'vitest';
import { fieldHint } from '../../src/cli/field-hint.js';
import { REQUEST_FLAGS } from '../../src/cli/typed-flags.js';
import { execgo } from './execgo.js';

const FLAGS = Object.values(REQUEST_FLAGS).filter((flag) => flag.startsWith('--'));
const hint = (typed: string, known: readonly string[] = FLAGS) => fieldHint({ typed, known });

it.each([
  ['--retry-backoff', 'policy.retry.backoff_ms is --retry-delay'],
  ['--retry-backoff-ms', 'policy.retry.backoff_ms is --retry-delay'],
  ['--retry_backoff_ms=5', 'policy.retry.backoff_ms is --retry-delay'],
  ['--retryBackoffMs', 'policy.retry.backoff_ms is --retry-delay'],
  ['--policy.retry.backoff_ms', 'policy.retry.backoff_ms is --retry-delay'],
  ['--max-attempts', 'policy.retry.max_attempts is --retries'],
  ['--memory-bytes', 'limits.memory_bytes is --memory'],
  ['--session-id', 'control_context.session_id is --session'],
  ['--parent-task-id', 'control_context.parent_task_id is --parent'],
  ['--start-at', 'policy.start_at is --at'],
  ['--capability-mode', 'policy.capability_mode is --strict'],
])('%s: %s', (typed, said) => {
  expect(hint(typed)).toBe(`unknown option '${typed}': the field ${said}`);
});

it('every field is found by its path, and by its path without what it stands in', () => {
  for (const [field, flag] of Object.entries(REQUEST_FLAGS).filter(([, each]) => each.startsWith('--')))
    expect(hint(`--${field.replaceAll('.', '-')}`), field).toContain(`: the field ${field} is ${flag}`);
});

it.each(['--nothing-like-it', '--when', '--url', '--'])('%s is no field, or one of several', (typed) => {
  expect(hint(typed)).toBeUndefined();
});

it('a command names only flags that it has', async () => {
  expect(hint('--retry-backoff', ['--id'])).toBeUndefined();
  const run = await execgo(['run', '--retry-backoff', '5s', '--', 'true']);
  expect([run.code, run.stderr]).toEqual([
    2,
    "execgo: unknown option '--retry-backoff': the field policy.retry.backoff_ms is --retry-delay; see execgo run --help\n",
  ]);
  const status = await execgo(['status', '--retry-backoff', 'a']);
  expect(status.stderr).toBe("execgo: unknown option '--retry-backoff'; see execgo status --help\n");
  const typo = await execgo(['run', '--retry-dely', '5s', '--', 'true']);
  expect(typo.stderr).toContain('Did you mean --retry-delay?');
});
