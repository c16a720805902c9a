import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { command, http, script, startDaemon, submitAndWait, tempDir } from '../harness/index.js';

const LIMITS = { limits: { cpu_time_sec: 60 } };

/** A directory with a program of the same answer at its top and below it. */
function project(): string {
  const dir = join(tempDir(), "it's a project");
  mkdirSync(join(dir, 'bin'), { recursive: true });
  const text = '#!/bin/sh\necho "$0 in $(pwd -P)"\n';
  for (const name of ['build.sh', 'bin/x']) writeFileSync(join(dir, name), text, { mode: 0o755 });
  // Without a first line that names a shell.
  writeFileSync(join(dir, 'plain'), 'echo plain in "$(pwd -P)"\n', { mode: 0o755 });
  return dir;
}

function within(cwd: string, request: object): object {
  const { execution, ...rest } = request as { execution: object };
  return { execution: { ...execution, cwd }, ...rest };
}

describe.each(['libc', 'execa'])('with the %s launcher', (launcher) => {
  test('a task starts in execution.cwd, and a relative program is found there', async () => {
    const dir = project();
    const daemon = await startDaemon({ flags: ['--launcher', launcher] });
    for (const more of [{}, LIMITS, { sandbox: { profile: 'linux_sandbox' } }]) {
      const run = async (request: object) => (await submitAndWait(daemon, within(dir, request))).stdout;
      expect(await run(script('pwd -P', more))).toBe(`${dir}\n`);
      expect(await run(command('./build.sh', [], more))).toBe(`./build.sh in ${dir}\n`);
      expect(await run(command('bin/x', [], more))).toBe(`bin/x in ${dir}\n`);
      expect(await run(command('./plain', [], more))).toBe(`plain in ${dir}\n`);
      const missing = await submitAndWait(daemon, within(dir, command('./no-such', [], more)));
      expect(missing).toMatchObject({ cause: 'launch', error: { code: 'launch_failed' } });
    }
  });

  test('a directory that cannot be entered ends the task, and the error says which and why', async () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'file'), '');
    symlinkSync('loop', join(dir, 'loop'));
    const daemon = await startDaemon({ flags: ['--launcher', launcher] });
    for (const more of [{}, LIMITS])
      for (const [name, why] of [
        ['gone', 'does not exist'],
        ['file', 'is not a directory'],
        ['loop', 'too many levels of symbolic links'],
      ] as const) {
        const end = await submitAndWait(daemon, within(join(dir, name), command('true', [], more)));
        expect(end).toMatchObject({ status: 'failed', cause: 'launch', duration_ms: 0 });
        expect(end.error).toMatchObject({ code: 'launch_failed', message: expect.stringContaining(why) });
        expect(end.error?.message).toContain(`working directory ${join(dir, name)} `);
      }
  });
});

test('one that its user may not enter, too', async () => {
  const dir = tempDir();
  mkdirSync(join(dir, 'closed'), { mode: 0o700 });
  chmodSync(dir, 0o755);
  const daemon = await startDaemon({ uid: 65_534 });
  for (const more of [{}, LIMITS]) {
    const end = await submitAndWait(daemon, within(join(dir, 'closed'), command('true', [], more)));
    expect(end).toMatchObject({
      cause: 'launch',
      error: { message: expect.stringContaining(`${join(dir, 'closed')} may not be entered: permission`) },
    });
  }
});

test('what cannot be a directory to start in is refused', async () => {
  const daemon = await startDaemon();
  const post = async (execution: object, sandbox?: object) =>
    (await http(daemon.url).post('/api/v1/tasks', { execution, sandbox })).body.error;
  const run = { kind: 'command', program: 'true' };
  for (const cwd of ['', ' ', 'relative', './x', '../x', '/a\0b', `/${'x'.repeat(256)}`, '/x'.repeat(2048)])
    expect(await post({ ...run, cwd })).toMatchObject({
      code: 'invalid_input',
      message: expect.stringContaining('execution.cwd'),
    });
  const both = await post({ ...run, cwd: '/' }, { workspace_subdir: 'sub' });
  expect(both).toMatchObject({ code: 'invalid_input' });
  expect(both.message).toMatch(/execution\.cwd.*sandbox\.workspace_subdir/);
});
