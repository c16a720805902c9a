import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  NamedResourceError,
  parseNamedResource,
  parseNamedResources,
} from '../../src/ledger/named-resource.js';

test.each([
  ['licence=5', { amount: 5, variables: [] }],
  ['gpu=0,1,2,3', { amount: 4, items: ['0', '1', '2', '3'], variables: [] }],
  [
    ' gpu : CUDA_VISIBLE_DEVICES :_x= a , b,',
    { amount: 2, items: ['a', 'b'], variables: ['CUDA_VISIBLE_DEVICES', '_x'] },
  ],
  ['gpu=0,', { amount: 1, items: ['0'], variables: [] }],
  ['gpu=one', { amount: 1, items: ['one'], variables: [] }],
  ['gpu=MIG-GPU:1/2=3,é', { amount: 2, items: ['MIG-GPU:1/2=3', 'é'], variables: [] }],
  ['a-_9=9007199254740991', { amount: Number.MAX_SAFE_INTEGER, variables: [] }],
])('%j is %j', (text, resource) => {
  expect(parseNamedResource(text).resource).toEqual(resource);
});

test.each([
  ['', 'has no "="'],
  ['gpu', 'has no "="'],
  ['=1', 'has the name ""'],
  ['9=1', 'has the name "9"'],
  ['__proto__=1', 'has the name "__proto__"'],
  [`${'g'.repeat(65)}=1`, 'at most 64'],
  ...['slots', 'cpu', 'memory', 'pids', 'disk'].map((name) => [`${name}=1`, 'execgo has itself']),
  ['gpu=', 'without a name'],
  ['gpu=,', 'without a name'],
  ['gpu=a,,b', 'without a name'],
  ['gpu=a,b,a', 'the item "a" twice'],
  ['gpu=a\nb', 'control character'],
  ['gpu=0', 'write "0,"'],
  ['gpu=9007199254740992', 'at most 2^53-1'],
  [`gpu=${'x'.repeat(100_001)}`, '100000 bytes'],
  ['gpu:=1', 'has "" for a variable'],
  ['gpu:A B=1', 'has "A B" for a variable'],
  ['gpu:EXECGO_TASK_ID=1', 'has "EXECGO_TASK_ID" for a variable'],
])('%j is refused', (text, why) => {
  expect(() => parseNamedResource(text)).toThrow(NamedResourceError);
  expect(() => parseNamedResource(text)).toThrow(why);
});

test('a task can tell each from each', () => {
  expect([...parseNamedResources(['a=1', 'b:B=x']).keys()]).toEqual(['a', 'b']);
  expect(() => parseNamedResources(['a=1', 'a=2'])).toThrow('a is given twice');
  expect(() => parseNamedResources(['a-b=1', 'A_b=2'])).toThrow(
    'a-b and A_b have the same variable, EXECGO_RESOURCE_A_B',
  );
  expect(() => parseNamedResources(['a:X=1', 'b:X=2'])).toThrow('a and b have the same variable, X');
  expect(() => parseNamedResources(['a:X:X=1'])).toThrow('a has the variable X twice');
});

test('throws nothing else than its error', () => {
  const part = fc.constantFrom('gpu', 'cpu', ':', ',', '=', ' ', '1', '0', 'X', '99999999999999999999', '\0');
  const text = fc.oneof(
    fc.string(),
    fc.array(part).map((p) => p.join('')),
  );
  fc.assert(
    fc.property(text, (t) => {
      try {
        parseNamedResource(t);
      } catch (error) {
        expect(error).toBeInstanceOf(NamedResourceError);
      }
    }),
  );
});
