import { expect, test } from 'vitest';
import pino from 'pino';
import { readiness, type ReadinessCore } from '../../src/runtime/readiness.js';
import type { ExecgoError } from '../../src/task/errors.js';
import { tempDir } from '../harness/temp-dir.js';
import { openedStore } from '../store/support.js';

const log = pino({ level: 'silent' });

/** A daemon all of whose parts are well, but for those that a test says. */
function core(more: Partial<ReadinessCore> = {}): ReadinessCore {
  const dataDir = tempDir();
  const place = { incarnation: 'i', pid: 812 };
  return {
    settings: { dataDir } as ReadinessCore['settings'],
    store: openedStore(dataDir),
    log,
    schedule: { accepting: true },
    executor: { place },
    ...more,
  };
}

/** What is said when it is not ready. */
async function refusal(of: ReadinessCore): Promise<{ message: string; unwell: string[] }> {
  const error = await readiness(of).then(
    () => undefined,
    (thrown: unknown) => thrown as ExecgoError,
  );
  expect(error).toMatchObject({ code: 'unavailable' });
  const { parts } = error!.details as { parts: Record<string, { ok: boolean }> };
  return {
    message: error!.message,
    unwell: Object.entries(parts).flatMap(([name, { ok }]) => (ok ? [] : [name])),
  };
}

test('all parts tell how they are', async () => {
  const all = core();
  expect(await readiness(all)).toEqual({
    accepting: { ok: true, detail: 'tasks are accepted' },
    store: { ok: true, detail: expect.stringContaining('written') as string, migration: all.store.migration },
    supervisor: { ok: true, detail: 'process 812' },
    disk: {
      ok: true,
      detail: expect.stringMatching(/^\d+ MiB free$/) as string,
      free_bytes: expect.any(Number) as number,
    },
  });
});

test('each part that is not well is named, with the reason', async () => {
  expect(await refusal(core({ schedule: { accepting: false } }))).toEqual({
    message: 'not ready: accepting: the daemon is stopping',
    unwell: ['accepting'],
  });
  const none = await refusal(core({ executor: { place: undefined } }));
  expect(none).toMatchObject({ unwell: ['supervisor'] });
  expect(none.message).toContain('one is being started');
  const gone = core({ settings: { dataDir: '/nowhere/at/all' } as ReadinessCore['settings'] });
  expect((await refusal(gone)).message).toContain('disk: the data directory cannot be looked at');
  const closed = core();
  closed.store.close();
  expect(await refusal(closed)).toEqual({
    message: 'not ready: store: the store is closed',
    unwell: ['store'],
  });
  const broken = core();
  broken.store.probe = () => {
    throw new Error('a secret');
  };
  const two = await refusal({ ...broken, executor: { place: undefined } });
  expect(two.unwell).toEqual(['store', 'supervisor']);
  expect(two.message).not.toContain('secret');
});
