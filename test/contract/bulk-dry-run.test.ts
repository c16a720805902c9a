import { expect, test } from 'vitest';
import type { BulkAnswer } from '../../src/client/index.js';
import { command, execgo, http, startDaemon, submit, submitAndWait, waitForEnd } from '../harness/index.js';

test('a dry run refuses what would be refused, says what was done already, and does nothing', async () => {
  const daemon = await startDaemon({
    flags: ['--max-running-tasks', '1', '--capacity-memory-bytes', '1000000000'],
  });
  const act = async (body: object) =>
    (await http(daemon.url).post<BulkAnswer>('/api/v1/tasks/actions', body)).body;
  const said = ({ items }: BulkAnswer) =>
    items.map((item) => ('error' in item ? item.error.code : `${item.task_id} ${String(item.created)}`));
  await http(daemon.url).post('/api/v1/sessions', { session_id: 's' });
  await submitAndWait(daemon, command('false', [], { task_id: 'plain' }));
  await submitAndWait(daemon, command('false', [], { task_id: 'twice' }));
  await submitAndWait(
    daemon,
    command('false', [], { task_id: 'in-s', control_context: { session_id: 's' } }),
  );
  expect((await http(daemon.url).delete('/api/v1/sessions/s')).status).toBe(200);
  const first = await act({ action: 'retry', ids: ['twice'] });
  expect(first.items).toMatchObject([{ task_id: 'twice', status: 'failed', created: true }]);
  const { retried_as } = first.items[0] as { retried_as: string };
  expect((await waitForEnd(daemon, retried_as)).retry_of).toBe('twice');
  const count = async () => (await http(daemon.url).get('/api/v1/tasks')).body.tasks.length as number;
  const before = await count();
  const ids = ['plain', 'twice', 'in-s'];
  const would = await act({ action: 'retry', ids, dry_run: true });
  expect(said(would)).toEqual(['plain true', 'twice false', 'not_found']);
  expect(would.items).toMatchObject([{ created: true }, { retried_as }, { error: {} }]);
  expect(would.items[0]).not.toHaveProperty('retried_as');
  expect([would.done, would.refused, await count()]).toEqual([2, 1, before]);
  // And so it is done.
  expect(said(await act({ action: 'retry', ids }))).toEqual(['plain true', 'twice false', 'not_found']);
  const cli = await execgo(['bulk', 'retry', 'twice', 'plain'], { daemon });
  expect(cli.stdout).toContain(retried_as);

  await submit(daemon, command('sleep', ['600'], { task_id: 'busy' }));
  await submit(daemon, command('true', [], { task_id: 'waits' }));
  const changes = [
    { policy: { priority: 3 } },
    { limits: { memory_bytes: 2_000_000_000 } },
    { policy: { after: [{ task_id: 'nobody', when: 'success' }] } },
    { if_version: 9_999, policy: { priority: 1 } },
  ];
  for (const [i, change] of changes.entries()) {
    const body = { action: 'edit', ids: ['waits'], changes: change };
    const dry = await act({ ...body, dry_run: true });
    expect((await http(daemon.url).get('/api/v1/tasks/waits')).body.priority, String(i)).toBe(
      i === 0 ? 0 : 3,
    );
    const real = await act(body);
    expect(dry.refused, JSON.stringify(change)).toBe(i === 0 ? 0 : 1);
    expect(said(dry), JSON.stringify(change)).toEqual(said(real));
  }
});
