import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { raw, serve } from './serve.js';

async function ask(headers: string[], options: { method?: string; version?: string } = {}): Promise<string> {
  const { port } = await serve();
  const { method = 'GET', version = '1.1' } = options;
  return raw(
    port,
    `${method} /healthz HTTP/${version}\r\n${[...headers, 'connection: close'].join('\r\n')}\r\n\r\n`,
  );
}

describe('the host', () => {
  test.each([
    'localhost',
    'LOCALHOST:1234',
    'localhost.',
    '127.0.0.1:8080',
    '192.0.2.7',
    '[::1]:8080',
    '[2001:db8::1]',
    'my-host:80',
    'other.example',
    'OTHER.example.:8080',
  ])('%s is let in', async (host) => {
    expect(await ask([`host: ${host}`])).toMatch(/^HTTP\/1.1 200 /);
  });

  test.each([
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'my-host.evil',
    '',
    '[evil]',
    'localhost@evil',
    '1.2.3',
  ])('"%s" is refused', async (host) => {
    const answer = await ask([`host: ${host}`]);
    expect(answer).toMatch(/^HTTP\/1.1 403 /);
    expect(answer).toContain('permission_denied');
  });

  test('a refused host says what to do', async () => {
    expect(await ask(['host: box.lan:8080'])).toContain('--allow-host box.lan');
  });

  test('no host at all is for HTTP/1.0', async () => {
    expect(await ask([])).toMatch(/^HTTP\/1.1 400 /);
    expect(await ask([], { version: '1.0' })).toMatch(/^HTTP\/1.1 200 /);
  });

  test('no name but those given is let in', async () => {
    const { port } = await serve();
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}(\.[a-z]{2,6}){1,2}$/);
    await fc.assert(
      fc.asyncProperty(name, async (host) => {
        const answer = await raw(port, `GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
        expect(answer.startsWith('HTTP/1.1 200')).toBe(host === 'other.example');
      }),
      { numRuns: 30 },
    );
  });
});

describe('more than one host', () => {
  test.each([
    ['localhost', 'evil.example'],
    ['evil.example', 'localhost'],
    ['localhost', 'localhost'],
    ['localhost', ''],
  ])('"%s" and "%s" are refused', async (first, second) => {
    for (const name of ['host', 'HOST']) {
      const answer = await ask([`host: ${first}`, `${name}: ${second}`]);
      expect(answer).toMatch(/^HTTP\/1.1 400 /);
      expect(answer).toContain('invalid input: host: the header must be given once');
    }
    expect(await ask([`host: ${first}`, `host: ${second}`], { version: '1.0' })).toMatch(/ 400 /);
  });

  test('a target may name the host of the header, and no other', async () => {
    const { port } = await serve();
    const status = async (target: string) => {
      const answer = await raw(
        port,
        `GET ${target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`,
      );
      return Number(answer.split(' ')[1]);
    };
    expect(await status('http://localhost/healthz')).toBe(200);
    for (const target of [
      'http://evil.example/healthz',
      'https://localhost/healthz',
      'evil.example:80',
      'healthz',
      'http://',
    ])
      expect([target, await status(target)]).toEqual([target, 400]);
    expect(await status('//evil.example/healthz')).toBe(404);
    expect(await status('*')).toBe(404);
  });
});

describe('the origin', () => {
  test.each([
    ['http://localhost:8080', 'localhost:8080'],
    ['http://localhost', 'localhost:80'],
    ['http://my-host', 'my-host'],
    ['http://[::1]:8080', '[::1]:8080'],
  ])('%s is let in to %s', async (origin, host) => {
    expect(await ask([`host: ${host}`, `origin: ${origin}`])).toMatch(/^HTTP\/1.1 200 /);
  });

  test.each([
    ['http://evil.example', 'localhost:8080'],
    ['http://localhost:3000', 'localhost:8080'],
    ['null', 'localhost'],
    ['', 'localhost'],
    ['file://', 'localhost'],
    ['https://localhost:8080', 'localhost:8080'],
    ['https://localhost', 'localhost:443'],
    ['ws://localhost:8080', 'localhost:8080'],
    ['ftp://localhost', 'localhost'],
    ['http://localhost:8080, http://localhost:8080', 'localhost:8080'],
    ['http://127.0.0.1:8080', 'localhost:8080'],
  ])('"%s" is refused at %s', async (origin, host) => {
    expect(await ask([`host: ${host}`, `origin: ${origin}`])).toMatch(/^HTTP\/1.1 403 /);
  });
});

describe('what a browser says about the page', () => {
  const from = (site: string, ...more: string[]) => ['host: localhost', `sec-fetch-site: ${site}`, ...more];

  test('other sites are refused, but for a link that a person follows', async () => {
    expect(await ask(from('cross-site'))).toMatch(/^HTTP\/1.1 403 /);
    expect(await ask(from('same-origin', 'sec-fetch-site: cross-site'))).toMatch(/^HTTP\/1.1 403 /);
    expect(await ask(from('cross-site', 'sec-fetch-mode: no-cors', 'sec-fetch-dest: image'))).toMatch(
      / 403 /,
    );
    expect(await ask(from('cross-site', 'sec-fetch-mode: navigate', 'sec-fetch-dest: iframe'))).toMatch(
      / 403 /,
    );
    const link = ['sec-fetch-mode: navigate', 'sec-fetch-dest: document'];
    expect(await ask(from('cross-site', ...link))).toMatch(/ 200 /);
    expect(await ask(from('cross-site', ...link, 'content-length: 0'), { method: 'POST' })).toMatch(/ 403 /);
  });

  test('its own pages are let in', async () => {
    expect(await ask(from('same-origin'))).toMatch(/ 200 /);
    expect(await ask(from('none'))).toMatch(/ 200 /);
  });
});

test('nothing is submitted through a closed door', async () => {
  const { port, service } = await serve();
  const body = JSON.stringify({ execution: { kind: 'command', program: 'true' } });
  const post = (headers: string) =>
    raw(
      port,
      `POST /api/v1/tasks HTTP/1.1\r\n${headers}\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  expect(await post('host: evil.example\r\ncontent-type: application/json')).toMatch(/ 403 /);
  expect(
    await post('host: localhost\r\norigin: http://evil.example\r\ncontent-type: application/json'),
  ).toMatch(/ 403 /);
  expect(await post('host: localhost\r\ncontent-type: text/plain')).toMatch(/ 415 /);
  expect(service.asked['submit']).toBeUndefined();
});
