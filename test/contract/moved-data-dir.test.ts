import fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TaskView } from '../../src/task/view.js';
import {
  execgo,
  http,
  script,
  startDaemon,
  submit,
  submitAndWait,
  tempDir,
  waitForEnd,
} from '../harness/index.js';

/** So much is kept at the beginning of a stream; the end is in another file. */
const KEPT = { stdout_max_bytes: 1000, stdout_keep_bytes: 1000 };

test('a data directory that is moved keeps results and outputs, and what waits in it runs', async () => {
  const base = tempDir();
  const [before, after] = [join(base, 'before'), join(base, 'elsewhere', 'after')];
  const old = await startDaemon({ dataDir: before });
  const ended = await submitAndWait(old, script('seq 1 1000; echo told >&2; exit 3', { limits: KEPT }));
  const waiting = await submit(
    old,
    script('pwd; echo here > file', {
      task_id: 'waits',
      limits: { queue_timeout_ms: 3_600_000 },
      policy: { demands: { tags: ['moved'] } },
    }),
  );
  const pieces = ['stream=stdout&offset=0', 'stream=stdout&view=head_tail', 'stream=stderr'];
  const outputs = async (url: string) =>
    Promise.all(
      pieces.map(
        async (piece) => (await http(url).get(`/api/v1/tasks/${ended.task_id}/output?${piece}`)).body,
      ),
    );
  const texts = await outputs(old.url);
  await old.stop();

  fs.mkdirSync(join(base, 'elsewhere'));
  fs.renameSync(before, after);
  const daemon = await startDaemon({ dataDir: after, flags: ['--tag', 'moved'] });
  const movedPaths = (view: TaskView) =>
    JSON.parse(JSON.stringify(view).replaceAll(`"${before}/`, `"${after}/`)) as TaskView;
  const { body } = await http(daemon.url).get<TaskView>(`/api/v1/tasks/${ended.task_id}`);
  expect(body).toEqual(movedPaths(ended));
  expect(body.warnings).toBeUndefined();
  expect(await outputs(daemon.url)).toEqual(texts);
  const result = JSON.parse(fs.readFileSync(body.artifacts.result_path, 'utf8')) as TaskView;
  expect(result).toMatchObject({ status: 'failed', exit_code: 3, stdout: ended.stdout });

  const ran = await waitForEnd(daemon, waiting);
  const workspace = join(after, 'tasks/waits/workspace');
  expect(ran).toMatchObject({ status: 'success', stdout: `${workspace}\n` });
  expect(fs.readFileSync(join(workspace, 'file'), 'utf8')).toBe('here\n');

  const doctor = await execgo(['doctor', '--data-dir', after]);
  expect(doctor.stdout).toContain('the files of 2 tasks fit to their rows');
  for (const id of [ended.task_id, waiting])
    expect((await http(daemon.url).delete(`/api/v1/tasks/${id}`)).status).toBe(200);
  expect(fs.readdirSync(join(after, 'tasks'))).toEqual([]);
  expect(fs.existsSync(before)).toBe(false);
});
