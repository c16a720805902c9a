import { expect, test } from 'vitest';
import { unmetDemand } from '../../src/task/demands.js';
import { keptOnly } from '../../src/runtime/lifecycle/kept-only.js';
import { submitSchema, type TaskSubmission } from '../../src/task/request.js';

const MACHINE = { hostname: 'Node7.example.org', profile: 'build', tags: ['gpu', 'ssd'] };
const BARE = { hostname: 'alone', profile: undefined, tags: [] };

function request(parts: Partial<TaskSubmission>) {
  return submitSchema.parse({ execution: { kind: 'command', program: 'true' }, ...parts });
}

const demanding = (demands: NonNullable<NonNullable<TaskSubmission['policy']>['demands']>) =>
  request({ policy: { demands } });

test.each([
  {},
  { hostname: null, profile: null, tags: null },
  { tags: [] },
  { hostname: 'node7.example.org' },
  { hostname: 'NODE7' },
  { profile: 'build' },
  { tags: ['ssd', 'gpu', 'gpu'] },
  { hostname: 'node7', profile: 'build', tags: ['gpu'] },
])('%j is met', (demands) => {
  expect(unmetDemand(demanding(demands), MACHINE)).toBeUndefined();
});

test.each([
  [{ hostname: 'node' }, 'hostname', /is "node", and this machine is "Node7\.example\.org"$/],
  [{ hostname: 'node7.example' }, 'hostname', /"node7\.example"/],
  [{ profile: 'Build' }, 'profile', /is "Build", and this daemon has "build"$/],
  [{ tags: ['gpu', 'tpu', 'GPU'] }, 'tags', /has "tpu", "GPU", and this daemon has "gpu", "ssd"$/],
  [{ hostname: 'other', profile: 'other', tags: ['other'] }, 'hostname', /"other"/],
])('%j is not met, and it is said what was wanted and what there is', (demands, demand, detail) => {
  const unmet = unmetDemand(demanding(demands), MACHINE);
  expect(unmet?.demand).toBe(demand);
  expect(unmet?.detail).toMatch(detail);
});

test('a machine without profile and tags says which flags give them, and long lists are cut', () => {
  expect(unmetDemand(demanding({ profile: 'p' }), BARE)?.detail).toContain('none (serve --profile)');
  const many = Array.from({ length: 5000 }, (_, i) => `${'t'.repeat(500)}${i}`);
  const detail = unmetDemand(demanding({ tags: many }), BARE)?.detail ?? '';
  expect(detail).toContain('none (serve --tag)');
  expect(detail).toContain('and 4990 more');
  expect(detail.length).toBeLessThan(1500);
});

test('fields that steer nothing are named, and no others', () => {
  const named = (control_context: TaskSubmission['control_context']) =>
    keptOnly(request({ control_context }), MACHINE).map((text) => text.split(' ', 1)[0]);
  expect(named(undefined)).toEqual([]);
  const quiet = { tenant: 't', owner: 'o', labels: { a: 'b' }, requires_resource_reservation: true };
  expect(named({ ...quiet, queue: 'default', session_id: 's', expected_runtime_profile: 'build' })).toEqual(
    [],
  );
  const loud = {
    control_plane_mode: 'm',
    expected_runtime_profile: 'x',
  };
  expect(named({ ...quiet, ...loud })).toEqual(Object.keys(loud).map((key) => `control_context.${key}`));
});
