import { mkdirSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { submit } from '../../src/runtime/lifecycle/submit.js';
import { waitingWithPosition } from '../../src/runtime/views/waiting-view.js';
import { FakeWorld } from '../executor/fake-world.js';
import { startRuntime } from '../executor/runtime.js';
import { tempDir } from '../harness/temp-dir.js';

test('a task that has room, and nothing that launches it, says so', async () => {
  const dataDir = tempDir();
  for (const dir of ['tasks', 'supervisor', 'trash', 'sessions']) mkdirSync(`${dataDir}/${dir}`);
  const world = new FakeWorld();
  world.withholdsPlaces = true;
  const { core, intake, leave } = await startRuntime(dataDir, 1, (events) => world.open(events));
  onTestFinished(async () => {
    await leave();
    world.remove();
  });
  const execution = { kind: 'command', program: '/bin/true' };
  await submit(core, intake, { task_id: 'one', execution });
  const { executor } = core.dispatcher;
  const record = core.store.tasks.get('one')!;
  expect(waitingWithPosition({ ...core, executor }, record)).toEqual({
    reason: 'no_runner',
    detail: 'there is room for it, and nothing that launches it: a supervisor is being started',
    since: new Date(record.created_at_ms).toISOString(),
    position: 1,
  });
});
