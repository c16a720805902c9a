import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { backOffMs, mayPass, retry, type RetryOptions } from '../../src/store/retry.js';
import { ExecgoError } from '../../src/task/errors.js';

/** Tries that a retry without end has outlived. */
const MANY = 10_000;

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: the words of the system`), { code });
}

const FULL = [
  systemError('ENOSPC'),
  systemError('EDQUOT'),
  new ExecgoError('insufficient_storage', 'the disk is full'),
];
const BUSY = [new ExecgoError('unavailable', 'the store is busy')];
const SHORT = ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN'].map(systemError);
/** What a task can do to its files, what is wrong with a request, and what is a fault of ours. */
const SAME_NEXT_TIME = [
  ...[
    'EACCES',
    'EPERM',
    'ENOTDIR',
    'EISDIR',
    'ENOENT',
    'ELOOP',
    'ENXIO',
    'EROFS',
    'EIO',
    'EXDEV',
    'EBUSY',
  ].map(systemError),
  ...(['internal', 'launch_failed', 'conflict', 'invalid_input', 'not_found'] as const).map(
    (code) => new ExecgoError(code, code),
  ),
  new TypeError('a fault of ours'),
  new Error('no code'),
  'not even an error',
  undefined,
];

describe('which errors count', () => {
  test.each([...FULL, ...BUSY])('$code is retried without end', (error) => {
    for (const tries of [1, 2, 100, MANY]) expect(mayPass(error, tries)).toBe(true);
  });

  test.each(SHORT)('$message is retried for a while', (error) => {
    expect(mayPass(error, 1)).toBe(true);
    expect(mayPass(error, MANY)).toBe(false);
  });

  test.each(SAME_NEXT_TIME)('%s ends the try', (error) => {
    expect(mayPass(error, 1)).toBe(false);
  });
});

test('the time between two tries grows and has a bound', () => {
  const all = Array.from({ length: 100 }, (_, i) => backOffMs(i + 1));
  expect(all.slice(0, 6)).toEqual([100, 200, 400, 800, 1600, 2000]);
  expect(new Set(all.slice(5))).toEqual(new Set([2000]));
  expect(backOffMs(MANY)).toBe(2000);
});

describe('over time', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Fails as often as told, and what is logged. */
  function trial(failures: readonly Error[]) {
    const logged: { level: string; fields: Record<string, unknown>; words: string }[] = [];
    const line = (level: string) => (fields: object, words: string) => {
      logged.push({ level, fields: { ...fields }, words });
    };
    const left = [...failures];
    const at: number[] = [];
    const began = Date.now();
    const action = async () => {
      at.push(Date.now() - began);
      await Promise.resolve();
      const failure = left.shift();
      if (failure !== undefined) throw failure;
      return 'done';
    };
    const state = { lasts: true, delays: 0 };
    const options = {
      log: { info: line('info'), error: line('error') } as unknown as RetryOptions['log'],
      what: 'cannot do it',
      about: { task_id: 'a' },
      lasts: () => state.lasts,
      onDelay: () => {
        state.delays++;
      },
    };
    return {
      logged,
      at,
      state,
      start: (more: Partial<RetryOptions> = {}) => retry(action, { ...options, ...more }),
    };
  }

  test('what is done at once is not spoken of', async () => {
    const { logged, start } = trial([]);
    expect(await start()).toBe('done');
    expect(logged).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a full disk is waited for, however long; the first failure is logged, and that it passed', async () => {
    const failures = Array.from({ length: 500 }, () => systemError('ENOSPC'));
    const { logged, at, state, start } = trial(failures);
    const done = start();
    await vi.advanceTimersByTimeAsync(500 * 2000);
    expect(await done).toBe('done');
    expect(at).toHaveLength(501);
    expect(at.slice(0, 6)).toEqual([0, 100, 300, 700, 1500, 3100]);
    expect((at.at(-1) ?? 0) - (at.at(-2) ?? 0)).toBe(2000);
    expect(state.delays).toBe(500);
    expect(logged).toEqual([
      {
        level: 'error',
        fields: { err: failures[0], task_id: 'a', tries: 1 },
        words: 'cannot do it; will retry',
      },
      { level: 'info', fields: { task_id: 'a', tries: 501 }, words: 'cannot do it: it can now' },
    ]);
  });

  test('any other error ends it at once, is logged as it is, with its stack, and is thrown', async () => {
    const error = systemError('ENOTDIR');
    const { logged, at, state, start } = trial([error]);
    await expect(start()).rejects.toBe(error);
    expect([at, state.delays, vi.getTimerCount()]).toEqual([[0], 0, 0]);
    expect(logged).toEqual([
      { level: 'error', fields: { err: error, task_id: 'a', tries: 1 }, words: 'cannot do it; given up' },
    ]);
  });

  test('another error after a full disk ends it too', async () => {
    const { logged, start } = trial([systemError('ENOSPC'), systemError('ENOSPC'), systemError('EISDIR')]);
    const done = expect(start()).rejects.toThrow('EISDIR');
    await vi.advanceTimersByTimeAsync(10_000);
    await done;
    expect(logged.map(({ words }) => words)).toEqual(['cannot do it; will retry', 'cannot do it; given up']);
  });

  test('a shortage that lasts ends it, within a minute', async () => {
    const { at, start } = trial(Array.from({ length: MANY }, () => systemError('EMFILE')));
    const done = expect(start()).rejects.toThrow('EMFILE');
    await vi.advanceTimersByTimeAsync(60_000);
    await done;
    expect(at.length).toBeGreaterThan(5);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('who is not needed any more stops: during a try in silence, between two without another', async () => {
    const during = trial([systemError('ENOSPC')]);
    during.state.lasts = false;
    await expect(during.start()).rejects.toThrow('ENOSPC');
    expect(during.logged).toEqual([]);
    const between = trial([systemError('ENOSPC'), systemError('ENOSPC')]);
    const done = expect(between.start()).rejects.toThrow('ENOSPC');
    await vi.advanceTimersByTimeAsync(50);
    between.state.lasts = false;
    await vi.advanceTimersByTimeAsync(50);
    await done;
    expect(between.at).toEqual([0]);
  });

  test('who asks may count otherwise', async () => {
    const { at, start } = trial([new Error('odd'), new Error('odd')]);
    const done = start({ counts: () => true });
    await vi.advanceTimersByTimeAsync(1000);
    expect(await done).toBe('done');
    expect(at).toHaveLength(3);
  });
});
