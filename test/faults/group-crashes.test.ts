import { expect, test } from 'vitest';
import type { CrashPoint } from '../../src/executor/crash-point.js';
import type { GroupView } from '../../src/task/groups.js';
import { command, http, startDaemon, startReceiver, waitFor } from '../harness/index.js';

/** Those that the message about a group passes, from the end of its last task on. */
const POINTS: CrashPoint[] = [
  ...([
    'after_group_notice_written',
    'before_result_written',
    'after_result_written',
    'after_end_commit',
  ] as const),
  ...(['before_notice_sent', 'after_notice_sent', 'before_notice_commit', 'after_notice_commit'] as const),
];

test.each(POINTS)(
  'the daemon dies at %s: a group that is done has one message, which arrives',
  async (point) => {
    const receiver = await startReceiver();
    const flags = ['--webhook-allow', receiver.host, '--webhook-retry-ms', '1'];
    const daemon = await startDaemon({ flags, env: { EXECGO_DAEMON_CRASH_AT: point } });
    const policy = { group_notify: [{ webhook: { url: receiver.url } }] };
    const request = command('true', [], { control_context: { group: 'g' }, policy });
    await http(daemon.url).post('/api/v1/tasks', { task_id: 'one', ...request });
    expect(await daemon.exited()).toEqual({ code: null, signal: 'SIGKILL' });
    await daemon.restart({ flags, env: {} });
    const group = await waitFor(
      async () => {
        const { body } = await http(daemon.url).get<GroupView>('/api/v1/groups/g');
        return body.notifications?.some(({ state }) => state === 'delivered') === true ? body : undefined;
      },
      { what: 'the delivery' },
    );
    expect(group).toMatchObject({ done: true, counts: { success: 1 } });
    expect(group.notifications).toMatchObject([{ source: 'group', state: 'delivered' }]);
    const ids = receiver.received.map(({ headers }) => headers['webhook-id']);
    expect(new Set(ids)).toEqual(new Set(group.notifications?.map(({ webhook_id }) => webhook_id)));
    const { body: events } = await http(daemon.url).get<{ event_type: string }[]>('/api/v1/tasks/one/events');
    expect(events.filter(({ event_type }) => event_type === 'group_done')).toHaveLength(1);
  },
);
