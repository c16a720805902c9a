import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { type Daemon, http, startDaemon, tempDir } from '../harness/index.js';
import { execgoCommand } from '../harness/executable.js';

const DOCS = join(import.meta.dirname, '../../docs');
const run = promisify(execFile);

/** What a page says to do, in its order. */
type Step = { shell: string } | { method: string; path: string; body: unknown };

/**
 * The commands of a page: its blocks for a shell, and in its tables what stands as code below "here, over HTTP" and "here, at
 * the shell". Code in those columns that is no command is an error.
 */
function stepsOf(page: string): Step[] {
  const text = readFileSync(join(DOCS, page), 'utf8');
  const steps: Step[] = [];
  let isOfCommands = false;
  for (const [found, block] of text.matchAll(/^```sh\n(.*?)^```|^\|[^\n]*$/gms)) {
    if (block !== undefined) {
      steps.push({ shell: block });
      continue;
    }
    const [, there = '', overHttp = '', atShell = ''] = found.split(/(?<!\\)\|/);
    if (there.trim() === 'there') {
      isOfCommands = overHttp.trim() === 'here, over HTTP';
      continue;
    }
    if (!isOfCommands) continue;
    for (const code of codeIn(overHttp)) steps.push(request(code));
    for (const code of codeIn(atShell)) {
      if (!code.includes('execgo ')) throw new Error(`${page}: no command: ${code}`);
      steps.push({ shell: code });
    }
  }
  return steps;
}

const codeIn = (cell: string) =>
  [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code!.replaceAll('\\|', '|'));

function request(code: string): Step {
  const [, method, path, body] = /^(GET|PUT|POST|PATCH|DELETE) (\/\S*)(?: (\{.*\}))?$/.exec(code) ?? [];
  if (method === undefined || path === undefined) throw new Error(`no request: ${code}`);
  return { method, path, body: body === undefined ? undefined : JSON.parse(body) };
}

/** A directory with `execgo`, as a shell finds it. */
function executable(): string {
  const bin = join(tempDir(), 'bin');
  mkdirSync(bin);
  const words = execgoCommand([]).flat();
  writeFileSync(join(bin, 'execgo'), `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`, { mode: 0o755 });
  return bin;
}

async function follow(daemon: Daemon, PATH: string, steps: readonly Step[]): Promise<void> {
  const cwd = tempDir();
  const env = { ...process.env, PATH, EXECGO_RUNTIME_URL: daemon.url };
  for (const step of steps)
    if ('shell' in step) {
      const done = await run('sh', ['-ec', step.shell], { cwd, env }).catch((error: unknown) => error);
      expect(done, step.shell).not.toBeInstanceOf(Error);
    } else {
      const { method, path, body } = step;
      const answer = await http(daemon.url).request(method, path, { body });
      expect([answer.status, answer.text], `${method} ${path}`).toEqual([200, expect.anything()]);
      // Items of a batch and of an action on many are answered by themselves.
      if (/\/(batch|actions)$/.test(path)) expect(answer.text, path).not.toMatch(/"error"|"refused":[1-9]/);
    }
}

const FLAGS = ['--max-running-tasks', '4', '--webhook-allow', 'ci.example.com'];

test.each([
  ['from-a-run-queue.md', 50],
  ['from-a-queue-in-postgres.md', 60],
])('every command of %s works as it stands', async (page, many) => {
  const steps = stepsOf(page);
  expect(steps.length).toBeGreaterThan(many);
  const PATH = `${executable()}:${process.env['PATH']}`;
  const daemon = await startDaemon({ flags: FLAGS, env: { PATH } });
  await follow(daemon, PATH, steps);
  // What is shown as failing is `false`; all else is there to succeed.
  const { body } = await http(daemon.url).get('/api/v1/tasks?limit=1000&status=failed');
  const commands = (body.tasks as { command: string }[]).map(({ command }) => command);
  expect(commands.filter((each) => each !== 'false')).toEqual([]);
});
