import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AllowList } from '../../src/webhook/allow-list.js';
import { isPublic } from '../../src/webhook/public-address.js';
import { receiverOf } from '../../src/task/notify.js';

/** Whether a message may be sent to a URL whose name leads to an address. */
function may(allowed: string[], url: string, address?: string): boolean {
  const receiver = receiverOf(url);
  if (typeof receiver === 'string') throw new Error(receiver);
  const list = new AllowList(allowed);
  return list.allows(receiver) && list.mayConnect(receiver, address ?? receiver.host);
}

test('nobody is allowed who is not named', () => {
  expect(may([], 'https://example.com', '93.184.216.34')).toBe(false);
  expect(may(['example.com'], 'https://example.com', '93.184.216.34')).toBe(true);
  expect(may(['EXAMPLE.com.'], 'https://example.COM./x', '93.184.216.34')).toBe(true);
  expect(may(['example.com'], 'https://www.example.com', '93.184.216.34')).toBe(false);
  expect(may(['example.com'], 'https://example.com.evil.org', '93.184.216.34')).toBe(false);
  expect(may(['bücher.example'], 'https://xn--bcher-kva.example', '93.184.216.34')).toBe(true);
});

test('a port narrows it', () => {
  const to = (url: string) => may(['example.com:8443'], url, '93.184.216.34');
  expect(to('https://example.com:8443')).toBe(true);
  expect(to('http://example.com:8443')).toBe(true);
  expect(to('https://example.com')).toBe(false);
  expect(may(['example.com:443'], 'https://example.com', '93.184.216.34')).toBe(true);
  expect(may(['example.com:443'], 'http://example.com', '93.184.216.34')).toBe(false);
});

test.each([
  ...['127.0.0.1', '127.8.8.8', '0.0.0.0', '10.1.2.3', '172.31.0.1', '192.168.1.1', '169.254.169.254'],
  ...['100.64.0.1', '198.18.0.1', '224.0.0.1', '255.255.255.255', '192.0.2.1'],
  ...['::1', '::', 'fe80::1', 'fd00::1', 'ff02::1', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:8.8.8.8'],
  ...['64:ff9b::10.0.0.1', '64:ff9b::7f00:1', '2002:7f00:1::', '2001::1', '2001:db8::1', '::127.0.0.1'],
])('a name that is allowed does not lead to %s, unless that is allowed itself', (address) => {
  expect(isPublic(address)).toBe(false);
  expect(may(['example.com'], 'https://example.com', address)).toBe(false);
  const itself = address.includes(':') ? `[${address}]` : address;
  expect(may(['example.com', itself], 'https://example.com', address)).toBe(true);
  expect(may(['example.com', `${itself}:443`], 'https://example.com', address)).toBe(true);
  expect(may(['example.com', `${itself}:80`], 'https://example.com', address)).toBe(false);
  // What is allowed as an address allows no name.
  expect(may([itself], 'https://example.com', address)).toBe(false);
});

test.each(['8.8.8.8', '172.32.0.1', '2606:4700::1111', '64:ff9b::8.8.8.8'])('%s is public', (address) => {
  expect(isPublic(address)).toBe(true);
  expect(may(['example.com'], 'https://example.com', address)).toBe(true);
});

test('an address stands for itself, however it is written in the URL', () => {
  for (const url of ['http://127.0.0.1:1', 'http://127.1:1', 'http://0x7f000001:1', 'http://2130706433:1'])
    expect(may(['127.0.0.1'], url)).toBe(true);
  expect(may(['127.0.0.1'], 'http://[::ffff:127.0.0.1]:1')).toBe(true);
  expect(may(['127.0.0.1'], 'http://127.0.0.2:1')).toBe(false);
  expect(may(['127.0.0.0/8'], 'http://127.0.0.2:1')).toBe(true);
  expect(may(['10.0.0.0/8'], 'http://11.0.0.1')).toBe(false);
  expect(may(['[fd00::/8]:80'], 'http://[fd12::1]')).toBe(true);
  expect(may(['[fd00::/8]:80'], 'http://[fe12::1]')).toBe(false);
});

test('localhost means this machine, and nothing else', () => {
  expect(may(['localhost'], 'http://localhost:1', '127.0.0.1')).toBe(true);
  expect(may(['localhost'], 'http://localhost:1', '::1')).toBe(true);
  expect(may(['localhost'], 'http://localhost:1', '10.0.0.1')).toBe(false);
  expect(may(['localhost'], 'http://127.0.0.1:1')).toBe(false);
  expect(may(['example.com'], 'http://localhost:1', '127.0.0.1')).toBe(false);
});

test.each([
  ['', 'must be HOST or HOST:PORT'],
  ['https://example.com', 'is a URL'],
  ['example.com:', 'must be HOST or HOST:PORT'],
  ['example.com:0', 'has no port from 1 to 65535'],
  ['example.com:65536', 'has no port from 1 to 65535'],
  ['example.com:http', 'must be HOST or HOST:PORT'],
  ['example.com/hook', 'has no address before the "/"'],
  ['user@example.com', 'has no name of a host'],
  ['*.example.com', 'has no name of a host'],
  ['exa mple.com', 'has no name of a host'],
  ['::1', 'with an address of IPv6 in brackets'],
  ['[example.com]', 'has no address before the "/"'],
  ['10.0.0.0/0', 'must have a length from 1 to 32'],
  ['10.0.0.0/33', 'must have a length from 1 to 32'],
  ['10.0.0.0/8/8', 'must have a length from 1 to 32'],
  ['[::1/129]', 'must have a length from 1 to 128'],
  ['127.1', 'has no name of a host'],
])('"%s" is refused', (text, why) => {
  expect(() => new AllowList([text])).toThrow(why);
});

test('whatever a URL is, it is refused or leads to a host as it was allowed', () => {
  fc.assert(
    fc.property(
      fc.webUrl({ withFragments: true }),
      fc.webAuthority({ withPort: true, withUserInfo: true }),
      (a, b) => {
        for (const url of [a, `http://${b}/`]) {
          const receiver = receiverOf(url);
          if (typeof receiver === 'string') continue;
          expect(new AllowList(['example.com']).allows(receiver)).toBe(receiver.host === 'example.com');
          expect(receiver.host).toBe(new URL(url).hostname.replace(/\.$/, ''));
        }
      },
    ),
    { numRuns: 50 },
  );
});
