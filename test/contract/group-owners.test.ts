import { expect, test } from 'vitest';
import { command, http, startDaemon, submit, waitFor } from '../harness/index.js';

test('what a task with an owner has said for its group, no task of another owner replaces', async () => {
  const daemon = await startDaemon({ flags: ['--webhook-allow', '127.0.0.1:9'] });
  const { url } = daemon;
  const telling = [{ webhook: { url: 'http://127.0.0.1:9/x' } }];
  const send = (group: string, owner: string | undefined, policy: object, query = '') =>
    http(url).post(
      `/api/v1/tasks${query}`,
      command('sleep', ['600'], { control_context: { group, owner }, policy }),
    );
  for (const [field, value, other] of [
    ['group_notify', telling, []],
    ['max_failures', 3, 1],
  ] as const) {
    const said = async () => {
      const { body } = await http(url).get(`/api/v1/groups/${field}`);
      return field === 'max_failures' ? body.max_failures : body.notify.length;
    };
    expect((await send(field, 'ann', { [field]: value })).status).toBeLessThan(300);
    const before = await said();
    for (const owner of ['bob', undefined])
      for (const query of ['', '?dry_run=true'])
        expect((await send(field, owner, { [field]: other }, query)).body.error, field).toMatchObject({
          code: 'permission_denied',
          message: expect.stringContaining(`policy.${field} of group "${field}"`),
          details: { group: field },
        });
    expect((await send(field, 'bob', {})).status).toBeLessThan(300);
    expect(await said()).toBe(before);
    expect((await send(field, 'ann', { [field]: other })).status).toBeLessThan(300);
    expect(await said()).not.toBe(before);
    // What one without an owner has said, anybody replaces.
    expect((await send(`${field}-open`, undefined, { [field]: value })).status).toBeLessThan(300);
    expect((await send(`${field}-open`, 'bob', { [field]: other })).status).toBeLessThan(300);
    expect((await send(`${field}-open`, 'ann', { [field]: value })).status).toBe(403);
  }
});

test('a wait for all is over when one of them is deleted meanwhile', async () => {
  const daemon = await startDaemon();
  for (const task_id of ['a', 'b']) await submit(daemon, command('sleep', ['600'], { task_id }));
  await submit(daemon, command('true', [], { task_id: 'over' }));
  const start = Date.now();
  for (const id of ['over', 'a']) {
    const asked = http(daemon.url).get(`/api/v1/wait?ids=b,${id}&mode=all&wait_ms=60000`);
    await http(daemon.url).post(`/api/v1/tasks/${id}/kill?grace_ms=0&wait_ms=5000`);
    await waitFor(async () => (await http(daemon.url).delete(`/api/v1/tasks/${id}`)).status === 200, {
      what: 'the deletion',
    });
    expect((await asked).body.error).toMatchObject({ code: 'not_found' });
  }
  expect(Date.now() - start).toBeLessThan(20_000);
});

test('a misspelt condition deletes no history', async () => {
  const daemon = await startDaemon();
  const answer = await http(daemon.url).delete('/api/v1/tasks?older_than_ms=0&dryrun=true');
  expect(answer.body.error).toMatchObject({ code: 'invalid_input' });
  expect(answer.body.error.message).toContain('dryrun');
});
