import { afterEach, describe, expect, it } from 'vitest';
import { typedCommand } from '../../src/cli/typed-command.js';
import { beginEvents, FakeServer, json, refuse, taskView, type Handler } from '../client/fake-server.js';
import { execgo } from './execgo.js';

const servers: FakeServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

async function serve(handler: Handler): Promise<string> {
  const server = await new FakeServer(handler).start();
  servers.push(server);
  return server.url;
}

describe('a command to be typed as it stands', () => {
  it.each([
    [{}, {}, 'execgo kill a'],
    [{ server: 'http://127.0.0.1:8080' }, {}, 'execgo kill a'],
    [{ server: 'http://127.0.0.1:8080/' }, { EXECGO_RUNTIME_URL: '' }, 'execgo kill a'],
    [{ server: '' }, {}, 'execgo kill a'],
    [{ server: 'http://h:1' }, {}, 'execgo kill --server http://h:1 a'],
    [{ server: 'http://h:1' }, { EXECGO_RUNTIME_URL: 'http://h:1/' }, 'execgo kill a'],
    [
      { server: 'http://127.0.0.1:8080' },
      { EXECGO_RUNTIME_URL: 'http://h:1' },
      'execgo kill --server http://127.0.0.1:8080 a',
    ],
    [{ server: "unix:/it's here" }, {}, String.raw`execgo kill --server 'unix:/it'\''s here' a`],
    [{ owner: 'bob' }, {}, 'execgo kill --owner bob a'],
    [{ owner: 'bob' }, { EXECGO_RUNTIME_OWNER: 'bob' }, 'execgo kill a'],
    [{ owner: 'bob' }, { EXECGO_RUNTIME_OWNER: 'eve' }, 'execgo kill --owner bob a'],
    [{ owner: 'a b' }, {}, "execgo kill --owner 'a b' a"],
    [{ owner: null }, {}, 'execgo kill a'],
  ])('%j in %j', (whereabouts, env, text) => {
    expect(typedCommand('kill', ['a'], whereabouts, env)).toBe(text);
  });
});

describe('hints go to the daemon that was asked', () => {
  const accepting: Handler = (seen, res) => {
    if (seen.method === 'POST') json(res, { task_id: 't1', handle_id: 't1', status: 'accepted' });
    else if (seen.url.includes('/output/stream')) beginEvents(res);
    else json(res, taskView({ status: 'running' }));
  };

  it.each([
    [['--owner', 'bob', '--', 'x'], '--owner bob '],
    [['--json', '{"execution":{},"control_context":{"owner":"a b"}}', '-o', 'stream'], "--owner 'a b' "],
    [['--', 'x'], ''],
  ])('run %j', async (rest, owner) => {
    const url = await serve(accepting);
    const { code, stderr } = await execgo(['run', '--server', url, '--timeout-ms', '50', ...rest]);
    expect([code, stderr]).toEqual([
      124,
      `execgo: task t1 did not end within 50 ms; it goes on: execgo logs --server ${url} -f t1 shows it, ` +
        `execgo kill --server ${url} ${owner}t1 ends it\n`,
    ]);
  });

  it('submit, and a task that is not there', async () => {
    const silent = await serve(() => undefined);
    const submitted = await execgo(['submit', '--server', silent, '--timeout-ms', '50', '--id', 'a', 'x']);
    expect(submitted.stderr).toContain(`execgo status --server ${silent} a tells`);
    const empty = await serve((_seen, res) => {
      refuse(res, 404, 'not_found', 'task not found: a');
    });
    const status = await execgo(['status', '--server', empty, 'a']);
    expect(status.stderr).toBe(
      `execgo: task not found: a (execgo list --server ${empty} shows the tasks there are)\n`,
    );
    const killed = await execgo(['kill', '--server', empty, 'a', 'b']);
    expect(killed.stderr.split('\n')[0]).toBe(
      `execgo: task not found: a (execgo list --server ${empty} shows the tasks there are)`,
    );
  });
});

describe('kill', () => {
  it.each([
    ['-9', 'KILL'],
    ['-KILL', 'KILL'],
    ['-sigint', 'INT'],
    ['-40', '40'],
  ])('%s is refused with the right way before anything is done', async (word, name) => {
    const url = await serve((_seen, res) => {
      json(res, taskView({}));
    });
    for (const args of [
      [word, 'a'],
      ['a', word],
    ]) {
      const { code, stdout, stderr } = await execgo(['kill', ...args], { server: url });
      expect([code, stdout.length]).toEqual([2, 0]);
      expect(stderr).toContain(`write --signal ${name}`);
    }
    expect(servers.at(-1)?.seen).toEqual([]);
  });
});
