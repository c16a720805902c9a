import fc from 'fast-check';
import { onTestFinished } from 'vitest';
import { anyFate, type Fate } from './chaos.js';
import { FakeWorld, type FakeWorldOptions } from './fake-world.js';
import { executorSuite } from './suite.js';

function fakeWorld(options: FakeWorldOptions): Promise<FakeWorld> {
  const world = new FakeWorld(options);
  onTestFinished(() => {
    world.remove();
  });
  return Promise.resolve(world);
}

/** As many fates as a test has messages, others with each seed. */
function fates(seed: number): Fate[] {
  return fc.sample(anyFate, { seed, numRuns: 300 });
}

executorSuite('faithful fake', () => fakeWorld({}));

for (const seed of [1, 2, 3])
  executorSuite(`fake that loses, doubles, delays and reorders (${seed})`, () =>
    fakeWorld({ wire: fates(seed), events: [10, 20, 30, 40].map((more) => fates(seed + more)) }),
  );
