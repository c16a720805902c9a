import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { changedFields, editedRequest, validateEdit } from '../../src/task/edit.js';
import { mergePatch } from '../../src/task/merge-patch.js';
import { submitSchema, type TaskSubmission } from '../../src/task/request.js';

function request(parts: Partial<TaskSubmission> = {}) {
  return submitSchema.parse({ execution: { kind: 'command', program: 'true' }, ...parts });
}

describe('a merge patch', () => {
  // The examples of RFC 7396, appendix A.
  test.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j with %j is %j', (target, patch, result) => {
    expect(mergePatch(target, patch)).toEqual(result);
  });

  test('applied twice is applied once, and changes neither of the two', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (target, patch) => {
        const before = JSON.stringify([target, patch]);
        const once = mergePatch(target, patch);
        expect(mergePatch(once, patch)).toEqual(once);
        expect(JSON.stringify([target, patch])).toBe(before);
      }),
    );
  });
});

describe('what may be changed', () => {
  test.each<[unknown, string]>([
    ['text', 'body: '],
    [[], 'body: '],
    [{ execution: { kind: 'command', program: 'rm' } }, 'body: "execution" is not among'],
    [{ task_id: 'x' }, 'body: "task_id" is not among'],
    [{ priority: 3 }, 'body: "priority" is changed as policy.priority'],
    [{ labels: { a: 'b' } }, 'body: "labels" is changed as control_context.labels'],
    [{ limits: { queue: 'q' } }, 'limits: "queue" is not among'],
    [{ policy: { capability_mode: 'adaptive' } }, 'policy: "capability_mode" is not among'],
    [{ policy: null }, 'policy: '],
    [{ policy: { priority: 1.5 } }, 'policy.priority: must be a whole number'],
    [{ policy: { demands: { tag: ['a'] } } }, 'policy.demands: "tag" is not among'],
    [{ control_context: { tenant: 'other' } }, 'control_context: "tenant" is not among'],
    [{ control_context: { owner: null } }, 'control_context: "owner" is not among'],
    [{ control_context: { queue: ' ' } }, 'control_context.queue: must not be empty'],
    [{ control_context: { labels: { 'a=b': 'c' } } }, 'control_context.labels'],
    [{ limits: { memory_bytes: 0 } }, 'limits.memory_bytes: must be greater than 0'],
    [{ limits: { memory: 1 } }, 'limits: "memory" is not among'],
    [{ metadata: { a: 1 } }, 'metadata.a: '],
    [{ if_version: -1 }, 'if_version: '],
    [{ if_version: '3' }, 'if_version: '],
    [JSON.parse('{"metadata":{"__proto__":"x"}}'), 'metadata.__proto__: this key cannot be used'],
  ])('%j is refused', (body, message) => {
    expect(() => validateEdit(body)).toThrow(`invalid input: ${message}`);
  });

  test('the version is no part of the change, and what is absent is none', () => {
    const body = { if_version: 7, policy: {}, limits: { nice: null } };
    expect(validateEdit(body)).toEqual({ if_version: 7, patch: { policy: {}, limits: { nice: null } } });
    expect(validateEdit({})).toEqual({ if_version: undefined, patch: {} });
  });
});

describe('a request that is changed', () => {
  const before = {
    ...request({
      limits: { memory_bytes: 1000, nice: 3 },
      policy: { priority: 2, demands: { profile: 'p', tags: ['a'] } },
      control_context: { tenant: 't', owner: 'o', labels: { a: '1', b: '2' }, lane: 'l' },
      metadata: { keep: 'me' },
    }),
    // Of an older version: a new task may not be called so.
    task_id: ' old id ',
  };
  const change = (body: unknown) => editedRequest(before, validateEdit(body).patch);

  test('keeps what the change does not name', () => {
    expect(change({})).toEqual(before);
    expect(changedFields(before, change({}))).toEqual([]);
    const after = change({ policy: { priority: 5 }, control_context: { labels: { b: null, c: '3' } } });
    expect(after).toEqual({
      ...before,
      policy: { ...before.policy, priority: 5 },
      control_context: { ...before.control_context, labels: { a: '1', c: '3' } },
    });
    expect(changedFields(before, after)).toEqual(['policy.priority', 'control_context.labels']);
  });

  test('differs only in what was changed, also where nothing was said before', () => {
    const bare = request();
    const after = editedRequest(bare, validateEdit({ control_context: { lane: 'l' } }).patch);
    expect(changedFields(bare, after)).toEqual(['control_context.lane']);
    expect(changedFields(bare, editedRequest(bare, validateEdit({ control_context: {} }).patch))).toEqual([]);
  });

  test('has the defaults for what is taken back', () => {
    const after = change({
      limits: null,
      policy: { priority: null, demands: { tags: null } },
      control_context: { lane: null, queue: null, labels: null },
      metadata: null,
    });
    expect(after.limits).toEqual(request().limits);
    expect(after.policy).toEqual({ ...before.policy, priority: 0, demands: { profile: 'p' } });
    expect(after.control_context).toEqual({ ...before.control_context, lane: undefined, labels: {} });
    expect(after.metadata).toEqual({});
    expect(changedFields(before, after)).toEqual([
      ...['limits.memory_bytes', 'limits.nice', 'policy.priority', 'policy.demands'],
      ...['control_context.lane', 'control_context.labels', 'metadata'],
    ]);
  });

  test('is held to the same bounds as one that is submitted', () => {
    const labels = Object.fromEntries(Array.from({ length: 9_998 }, (_, i) => [`l${i}`, '']));
    expect(() => change({ control_context: { labels } })).toThrow(
      'invalid input: body: has more than 10000 keys',
    );
  });
});
