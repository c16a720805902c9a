import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/daemon/config.js';
import { createDaemon } from '../../src/daemon/daemon.js';
import { lockDataDirWhenFree } from '../../src/store/database/data-dir-lock.js';
import { tempDir } from '../harness/index.js';

test('told to stop while it waits for its data directory, it gives that back and makes nothing in it', async () => {
  const dataDir = tempDir();
  const holder = await lockDataDirWhenFree(dataDir, 0);
  const daemon = createDaemon({
    config: loadConfig({ dataDir, listenAddr: '127.0.0.1:0' }, {}),
    version: '0.0.0',
    log: pino({ enabled: false }),
    env: {},
  });
  const started = daemon.start();
  const stopped = daemon.stop(false);
  holder.release();
  expect(await started).toBeUndefined();
  await stopped;
  expect(existsSync(join(dataDir, 'runtime.db'))).toBe(false);
  (await lockDataDirWhenFree(dataDir, 0)).release();
});
