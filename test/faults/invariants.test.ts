import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startDaemon, submit, tempDir, waitForEnd } from '../harness/index.js';
import { countedTask, settled, violations } from './invariants.js';
import { withDatabase } from './support.js';

test('every broken promise is seen', async () => {
  const runs = join(tempDir(), 'runs');
  const daemon = await startDaemon();
  const id = await submit(daemon, countedTask(runs, 'true'));
  const end = await waitForEnd(daemon, id);
  await settled(daemon);
  const evidence = { acknowledged: [id], runs };
  expect(await violations(daemon, evidence)).toEqual([]);

  const broken: [string, string][] = [
    ['does not end once', "INSERT INTO task_events SELECT 99, task_id, 'failed', 0, NULL, NULL FROM tasks"],
    ['does not follow', 'DELETE FROM task_events WHERE seq = 5'],
    [
      'not released once',
      "UPDATE task_events SET event_type = 'recovered' WHERE event_type = 'resource_released'",
    ],
    ['does not begin', "UPDATE task_events SET event_type = 'degraded' WHERE event_type = 'accepted'"],
    ['differ about the start', 'UPDATE tasks SET started_at_ms = NULL'],
    ['ended before', 'UPDATE tasks SET started_at_ms = finished_at_ms + 1'],
    ['counted', "UPDATE counters SET value = 7 WHERE name = 'entered.success'"],
    ['without a launch', 'UPDATE tasks SET launch_id = NULL'],
    ['not told of once', 'UPDATE tasks SET past_attempts = 1'],
    ['acknowledged and is unknown', 'DELETE FROM tasks'],
  ];
  for (const [word, harm] of broken) {
    const dataDir = tempDir();
    mkdirSync(join(dataDir, 'sessions'));
    withDatabase(daemon.dataDir, (db) => db.exec(`VACUUM INTO '${dataDir}/runtime.db'`));
    withDatabase(dataDir, (db) => db.exec(harm));
    expect((await violations({ ...daemon, dataDir }, evidence)).join('\n'), harm).toContain(word);
  }

  appendFileSync(runs, `${id} 1\n`);
  expect(await violations(daemon, evidence)).toEqual([`${id} 1 ran 2 times`]);
  writeFileSync(runs, '');
  expect(await violations(daemon, evidence)).toEqual([`${id} is a success and never ran`]);
  writeFileSync(runs, `${id} 1\n`);
  rmSync(end.artifacts.result_path);
  expect((await violations(daemon, evidence)).join()).toContain('result.json says nothing');
});
