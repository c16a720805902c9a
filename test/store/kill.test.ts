import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { checkDatabase } from '../../src/store/database/check.js';
import { tempDir } from '../harness/temp-dir.js';
import { openedStore } from './support.js';

const WRITER = fileURLToPath(new URL('kill-writer.mjs', import.meta.url));
const STORE = fileURLToPath(new URL('../../dist/src/store/open.js', import.meta.url));

test('what was acknowledged before a kill -9 is there afterwards', async () => {
  const dir = tempDir();
  const child = spawn(process.execPath, [WRITER, STORE, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
  let told = '';
  child.stdout.on('data', (chunk: Buffer) => {
    told += chunk.toString();
    if (told.split('\n').length > 200) child.kill('SIGKILL');
  });
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');

  const acknowledged = told.split('\n').slice(0, -1);
  expect(acknowledged.length).toBeGreaterThanOrEqual(200);
  const store = openedStore(dir);
  expect(acknowledged.filter((id) => store.tasks.get(id) === undefined)).toEqual([]);
  const { entered } = store.counters.read();
  expect(entered.accepted).toBe(store.tasks.live().length);
  expect(store.events.last).toBe(entered.accepted);
  expect(checkDatabase(join(dir, 'runtime.db'))).toEqual([]);
});
