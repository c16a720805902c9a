import { expect, onTestFinished, test, vi } from 'vitest';
import { ChainWatch } from '../../src/supervisor/run/chain-watch.js';

test('who holds the report open cannot deny a program that has run for long', () => {
  vi.useFakeTimers();
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const ended = { exit_code: 127, usage: {} };
  for (const [waitMs, ran] of [
    [0, false],
    [1000, false],
    [10_000, true],
  ] as const) {
    const reached = vi.fn();
    const watch = new ChainWatch('program', undefined, '/', false, reached);
    watch.reported(Buffer.from('ok\n'));
    vi.advanceTimersByTime(waitMs);
    expect(reached.mock.calls.length > 0).toBe(waitMs > 0);
    watch.reported(Buffer.from('exec 127\nsandbox no\n'));
    expect(watch.failure(ended) === undefined, String(waitMs)).toBe(ran);
    watch.close();
  }
});
