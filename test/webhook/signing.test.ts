import { randomBytes } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { Secrets } from '../../src/webhook/secrets.js';
import { signedHeaders } from '../../src/webhook/signature.js';
import { tempDir } from '../harness/temp-dir.js';

const newSecret = () => `whsec_${randomBytes(24).toString('base64')}`;

test("the library of Standard Webhooks takes the signature, and that of each of a secret's keys", () => {
  const [old, next, other] = [newSecret(), newSecret(), newSecret()];
  const dir = tempDir();
  writeFileSync(join(dir, 'ci'), `${old}\n\n  ${next}\n`);
  const body = JSON.stringify({ type: 'task.ended', data: { text: 'ä€😀 "' } });
  const headers = signedHeaders({ id: 'msg-1', body }, new Secrets(dir).keys('ci'), Date.now());
  expect(headers).toMatchObject({
    'webhook-id': 'msg-1',
    'webhook-signature': expect.stringMatching(/^v1,\S+ v1,\S+$/),
  });
  for (const secret of [old, next])
    expect(new Webhook(secret).verify(body, headers as never)).toEqual(JSON.parse(body));
  expect(() => new Webhook(other).verify(body, headers as never)).toThrow('No matching signature');
  expect(() => new Webhook(old).verify(body.replace('ended', 'begun'), headers as never)).toThrow();
});

test('without a key there is no signature', () => {
  expect(signedHeaders({ id: 'i', body: '{}' }, [], 1999)).toEqual({
    'webhook-id': 'i',
    'webhook-timestamp': '1',
  });
});

test('a secret is read anew each time, also through a link, as where secrets are mounted', () => {
  const dir = tempDir();
  mkdirSync(join(dir, 'data'));
  symlinkSync('data/ci', join(dir, 'ci'));
  const secrets = new Secrets(dir);
  expect(() => secrets.keys('ci')).toThrow('the daemon has no secret "ci": there is no such file');
  writeFileSync(join(dir, 'data', 'ci'), newSecret());
  expect(secrets.keys('ci')).toHaveLength(1);
});

test.each([
  ['', 'is empty'],
  ['hunter2', 'has no prefix'],
  ['whsec_', 'has no key'],
  ['whsec_!!!!', 'is no base64'],
  [`whsec_${randomBytes(23).toString('base64')}`, 'is too short'],
  [`whsec_${randomBytes(65).toString('base64')}`, 'is too long'],
  [`${newSecret()}\nhunter2`, 'is wrong in one line'],
  [`${newSecret()}\n`.repeat(200), 'is too large a file'],
])('a file that is no secret is refused, and not shown (%#)', (text) => {
  const dir = tempDir();
  writeFileSync(join(dir, 'bad'), text);
  const read = () => new Secrets(dir).keys('bad');
  expect(read).toThrow('secret "bad" is not as it must be');
  expect(read).not.toThrow(/hunter2|whsec_[A-Za-z0-9!]/);
});

test('what is no regular file is not waited for', async () => {
  const dir = tempDir();
  await execa('mkfifo', [join(dir, 'pipe')]);
  mkdirSync(join(dir, 'dir'));
  for (const name of ['pipe', 'dir'])
    expect(() => new Secrets(dir).keys(name)).toThrow(
      `the daemon has no secret "${name}": it is not a regular file`,
    );
  expect(() => new Secrets(undefined).keys('x')).toThrow(
    'named no directory of secrets with --webhook-secrets',
  );
});
