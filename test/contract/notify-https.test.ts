import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { NotificationView } from '../../src/task/notification-view.js';
import type { TaskView } from '../../src/task/view.js';
import {
  command,
  type Daemon,
  http,
  type Receiver,
  startDaemon,
  startReceiver,
  submit,
  tempDir,
  waitFor,
} from '../harness/index.js';

/** A certificate that is signed by itself alone. @param name whose it is, as `subjectAltName` says it */
function certificate(name: string): { key: string; cert: string; path: string } {
  const dir = tempDir();
  const [key, path] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
  const words = [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=receiver', '-addext', `subjectAltName=${name}`, '-keyout', key, '-out', path],
  ];
  execFileSync('openssl', words, { stdio: 'pipe' });
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(path, 'utf8'), path };
}

const flagsFor = (receiver: Receiver, ...more: string[]) => [
  ...['--webhook-allow', receiver.host, '--webhook-retry-ms', '1'],
  ...more,
];
const telling = ({ url }: Receiver) => command('true', [], { policy: { notify: [{ webhook: { url } }] } });

/** The one message about a task, once it is as it is waited for. */
function notification(
  daemon: Daemon,
  id: string,
  isSo: (shown: NotificationView) => boolean,
): Promise<NotificationView> {
  return waitFor(
    async () => {
      const { notifications } = (await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`)).body;
      return notifications?.find(isSo);
    },
    { what: `what becomes of the message about ${id}` },
  );
}

test('a message goes over HTTPS to a receiver whose certificate is trusted', async () => {
  const tls = certificate('IP:127.0.0.1');
  const receiver = await startReceiver(undefined, tls);
  const daemon = await startDaemon({ flags: flagsFor(receiver), env: { NODE_EXTRA_CA_CERTS: tls.path } });
  const id = await submit(daemon, telling(receiver));
  const shown = await notification(daemon, id, ({ state }) => state !== 'pending');
  expect(shown).toMatchObject({ state: 'delivered', attempts: 1, http_status: 204, to: receiver.url });
  expect(receiver.received.map(({ body }) => body.data['task_id'])).toEqual([id]);
});

test('a certificate that is not trusted is told, and the message is sent again until it is', async () => {
  const tls = certificate('IP:127.0.0.1');
  const receiver = await startReceiver(undefined, tls);
  const daemon = await startDaemon({ flags: flagsFor(receiver) });
  const id = await submit(daemon, telling(receiver));
  const failed = await notification(daemon, id, ({ attempts }) => attempts > 1);
  expect(failed).toMatchObject({
    state: 'pending',
    error: expect.stringMatching(/self.signed certificate.*\(DEPTH_ZERO_SELF_SIGNED_CERT\)/),
  });
  expect(failed).not.toHaveProperty('http_status');
  expect(receiver.received).toEqual([]);
  await daemon.restart({ flags: flagsFor(receiver), env: { NODE_EXTRA_CA_CERTS: tls.path } });
  const shown = await notification(daemon, id, ({ state }) => state !== 'pending');
  expect(shown).toMatchObject({ state: 'delivered', webhook_id: failed.webhook_id, http_status: 204 });
  expect(shown).not.toHaveProperty('error');
  expect(receiver.received.map(({ headers }) => headers['webhook-id'])).toEqual([failed.webhook_id]);
});

test('a certificate of another host is told, and the message is given up after so many attempts', async () => {
  const tls = certificate('DNS:elsewhere.example');
  const receiver = await startReceiver(undefined, tls);
  const flags = flagsFor(receiver, '--webhook-max-attempts', '2');
  const daemon = await startDaemon({ flags, env: { NODE_EXTRA_CA_CERTS: tls.path } });
  const id = await submit(daemon, telling(receiver));
  const shown = await notification(daemon, id, ({ state }) => state !== 'pending');
  expect(shown).toMatchObject({
    ...{ state: 'given_up', attempts: 2 },
    error: expect.stringContaining("does not match certificate's altnames"),
  });
  expect(receiver.received).toEqual([]);
});
