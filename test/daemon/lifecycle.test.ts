import { expect, test } from 'vitest';
import { Lifecycle, type Part } from '../../src/daemon/lifecycle.js';

const NAMES = ['lock', 'store', 'server', 'upkeep'] as const;

/** Four parts that note what is done to them; what a test gives takes the place of one of them. */
function parts(replaced: Partial<Record<(typeof NAMES)[number], Partial<Part<object, unknown>>>> = {}) {
  const done: string[] = [];
  const notStopped: string[] = [];
  const life = new Lifecycle({ first: 1 }, (error) => notStopped.push(String(error)));
  for (const name of NAMES)
    life.part(name, {
      start: async (built) => {
        await Promise.resolve();
        done.push(`start ${name}`);
        return replaced[name]?.start?.(built);
      },
      stop: async (made, built) => {
        await Promise.resolve();
        done.push(`stop ${name}`);
        return replaced[name]?.stop?.(made, built);
      },
    });
  return { life, done, notStopped };
}

const started = (count: number) => NAMES.slice(0, count).map((name) => `start ${name}`);
const stopped = (count: number) =>
  NAMES.slice(0, count)
    .reverse()
    .map((name) => `stop ${name}`);
const fail = (name: string) => () => {
  throw new Error(`no ${name}`);
};

test('each part gets what those before it have made, and is stopped with that and its own', async () => {
  const seen: unknown[] = [];
  const life = new Lifecycle({ port: 1 }, fail('call'))
    .part('double', { start: ({ port }) => port * 2, stop: (double) => void seen.push(double) })
    .part('sum', {
      start: ({ port, double }) => Promise.resolve(port + double),
      stop: (sum, { double }) => void seen.push([sum, double]),
    })
    .part('nothing', { start: () => undefined });
  expect(await life.start()).toEqual({ port: 1, double: 2, sum: 3, nothing: undefined });
  await life.stop();
  expect(seen).toEqual([[3, 2], 2]);
});

test('parts are started in order and stopped in the opposite one, once, however often that is asked for', async () => {
  const { life, done } = parts();
  const both = await Promise.all([life.start(), life.start()]);
  expect(both[0]).toBe(both[1]);
  expect(done).toEqual(started(4));
  await Promise.all([life.stop(), life.stop()]);
  await life.stop();
  expect(done).toEqual([...started(4), ...stopped(4)]);
});

test.each(NAMES.map((name, before) => ({ name, before })))(
  'where the start of $name fails, those before it are stopped, and its reason is thrown',
  async ({ name, before }) => {
    const { life, done, notStopped } = parts({ [name]: { start: fail(name) } });
    await expect(life.start()).rejects.toThrow(`no ${name}`);
    const all = [...started(before + 1), ...stopped(before)];
    expect(done).toEqual(all);
    await life.stop();
    expect({ done, notStopped }).toEqual({ done: all, notStopped: [] });
  },
);

test.each(NAMES)('where %s cannot be stopped, the others are, and it is told', async (name) => {
  const { life, done } = parts({ [name]: { stop: fail(name) } });
  await life.start();
  await expect(life.stop()).rejects.toThrow(`could not stop everything: ${name}: Error: no ${name}`);
  expect(done).toEqual([...started(4), ...stopped(4)]);
  await expect(life.stop()).rejects.toThrow(`no ${name}`);
  expect(done).toHaveLength(8);
});

test('all that cannot be stopped is told at once', async () => {
  const { life } = parts({
    lock: { stop: fail('lock') },
    upkeep: { stop: () => Promise.reject(new Error('no')) },
  });
  await life.start();
  const error: unknown = await life.stop().catch((e: unknown) => e);
  expect(String(error)).toBe(
    'AggregateError: could not stop everything: upkeep: Error: no; lock: Error: no lock',
  );
  expect((error as AggregateError).errors).toHaveLength(2);
});

test('what cannot be stopped after a start has failed is told besides, and the reason of the start is thrown', async () => {
  const { life, done, notStopped } = parts({
    server: { start: fail('server') },
    store: { stop: fail('store') },
  });
  await expect(life.start()).rejects.toThrow('no server');
  expect(done).toEqual([...started(3), ...stopped(2)]);
  expect(notStopped).toEqual(['AggregateError: could not stop everything: store: Error: no store']);
});

test.each(NAMES.map((name, before) => ({ name, before })))(
  'when it is stopped while $name is being started, that is waited for, and nothing after it is started',
  async ({ name, before }) => {
    let stop: Promise<void> | undefined;
    const { life, done } = parts({ [name]: { start: () => void (stop = life.stop()) } });
    expect(await life.start()).toBeUndefined();
    await stop;
    expect(done).toEqual([...started(before + 1), ...stopped(before + 1)]);
  },
);

test('when the part fails that is being started while it is stopped, the start throws and the stop does not', async () => {
  let stop: Promise<void> | undefined;
  const { life, done } = parts({
    store: {
      start: () => {
        stop = life.stop();
        throw new Error('no store');
      },
    },
  });
  await expect(life.start()).rejects.toThrow('no store');
  await stop;
  expect(done).toEqual([...started(2), ...stopped(1)]);
});

test('what was stopped before it was started is never started', async () => {
  const { life, done } = parts();
  await life.stop();
  expect(await life.start()).toBeUndefined();
  expect(done).toEqual([]);
});
