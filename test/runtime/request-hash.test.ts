import { expect, test } from 'vitest';
import { requestHash } from '../../src/runtime/lifecycle/request-hash.js';
import { validateSubmission } from '../../src/task/validate.js';

const TRUE = { kind: 'command', program: '/bin/true' };
const KEYED = { execution: TRUE, control_context: { idempotency_key: 'k' } };
const FULL = {
  task_id: 'full',
  execution: { kind: 'script', script: 'echo $A', interpreter: ['/bin/sh'], env: { A: 'b' } },
  limits: {
    ...{ wall_time_ms: 1000, cpu_time_sec: 2, cpu_millis: 500, memory_bytes: 1_048_576, pids_max: 9 },
    ...{ stdout_max_bytes: 1, stderr_max_bytes: 2, queue_timeout_ms: 3 },
  },
  sandbox: { profile: 'linux_sandbox', workspace_subdir: 'sub', namespaces: { net: true } },
  policy: { capability_mode: 'strict', priority: -1, demands: { hostname: 'h', tags: ['t'] } },
  control_context: {
    ...{ tenant: 'acme', owner: 'ann', labels: { a: 'b' }, idempotency_key: 'k', queue: 'q', lane: 'l' },
    ...{ session_id: 's', requires_strict_sandbox: true, control_plane_mode: 'm' },
    expected_runtime_profile: 'p',
  },
  metadata: { note: 'x' },
  unknown: 1,
};

/** Written down by the version whose hashes were over requests that were filled up with its defaults. */
const OLDER: [what: string, request: object, hash: string][] = [
  ['the least', KEYED, 'bdc82bb086ea2ea5594cd5222cb37e901c509f91a0ddcc6a0ecd6b7e17e6cce6'],
  [
    'nulls',
    {
      execution: { ...TRUE, args: null },
      limits: null,
      policy: { priority: null },
      control_context: { idempotency_key: 'k', lane: null },
    },
    'bdc82bb086ea2ea5594cd5222cb37e901c509f91a0ddcc6a0ecd6b7e17e6cce6',
  ],
  ['everything', FULL, '21c798fd24206648bfb7cb0c9c2d8e1b4f00fff5269fa9517ac968a2772ffa65'],
];

test.each(OLDER)(
  'a key that an older version wrote down for a request with %s is known again',
  (_, sent, hash) => {
    validateSubmission(sent);
    expect(requestHash(sent).older()).toBe(hash);
  },
);

test('what means the same has the same hash, whatever the order and the nulls', () => {
  const same = {
    control_context: { lane: null, idempotency_key: 'k' },
    limits: null,
    execution: { program: '/bin/true', kind: 'command' },
  };
  expect(requestHash(same).sent).toBe(requestHash(KEYED).sent);
});

test('a default that is spelled out is another request: it stays what it is when the default changes', () => {
  const spelledOut = { ...KEYED, limits: { wall_time_ms: 300_000 } };
  expect(requestHash(spelledOut).sent).not.toBe(requestHash(KEYED).sent);
  expect(requestHash({ ...KEYED, unknown: 1 }).sent).not.toBe(requestHash(KEYED).sent);
});
