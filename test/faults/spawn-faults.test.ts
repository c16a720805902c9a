import { chmodSync, closeSync, copyFileSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { command, http, startDaemon, submitAndWait, tempDir, waitForEnd } from '../harness/index.js';
import {
  expectFailures,
  expectLaunchFailed,
  type Fault,
  LIMITED,
  SLOTS,
  startedDaemon,
  submitBatch,
} from './failing-launches.js';

function unusablePrograms(): Fault[] {
  const dir = tempDir();
  const file = (name: string, text: string, mode: number) => {
    writeFileSync(join(dir, name), text);
    chmodSync(join(dir, name), mode);
    return join(dir, name);
  };
  const plain = file('plain', 'echo hello\n', 0o644);
  const orphan = file('orphan', '#!/nonexistent/interpreter -x\n', 0o755);
  const direct: [program: string, message: RegExp][] = [
    ['/nonexistent/program', /cannot launch "\/nonexistent\/program": no such file or directory/],
    [
      'no-such-program-anywhere',
      /cannot launch "no-such-program-anywhere": not found in the task's PATH \(.*\/bin.*\)/,
    ],
    [dir, /is a directory/],
    [plain, /not marked executable/],
    [`${plain}/below`, /not a directory/],
    [orphan, /its interpreter "\/nonexistent\/interpreter" does not exist/],
  ];
  const chained: [program: string, message: RegExp][] = direct.map(([program]) => [
    program,
    program.includes('/')
      ? /cannot launch ".*": program (not found|cannot be executed): .*(not found|[Pp]ermission denied|No such file|[Nn]ot a directory)/
      : /cannot launch ".*": not found in the task's PATH \(.*\/bin.*\)/,
  ]);
  return [
    ...direct.map(([program, message]) => ({ request: command(program), message })),
    ...chained.map(([program, message]) => ({ request: command(program, [], LIMITED), message })),
    {
      request: { execution: { kind: 'script', script: 'true', interpreter: ['/nonexistent/shell'] } },
      message: /cannot launch "\/nonexistent\/shell": no such file or directory/,
    },
  ];
}

test('1,000 programs that cannot be run', async () => {
  const { daemon, expectNothingHeld } = await startedDaemon();
  await expectFailures(daemon, unusablePrograms(), 1000);
  await expectNothingHeld();
});

test('the same with the other launcher', async () => {
  const { daemon, expectNothingHeld } = await startedDaemon('--launcher', 'execa');
  const faults = unusablePrograms().map((fault) => ({
    ...fault,
    message: /cannot launch ".*": (program (not found|cannot be executed): |not found in the task's PATH)/,
  }));
  await expectFailures(daemon, faults, 3 * faults.length);
  await expectNothingHeld();
});

test('a file that is being written', async () => {
  const { daemon, expectNothingHeld } = await startedDaemon();
  const program = join(tempDir(), 'program');
  copyFileSync('/bin/true', program);
  const fd = openSync(program, 'r+');
  await expectFailures(daemon, [{ request: command(program), message: /the file is being written/ }], 20);
  await expectFailures(
    daemon,
    [{ request: command(program, [], LIMITED), message: /cannot be executed: .*busy/i }],
    20,
  );
  closeSync(fd);
  expect(await submitAndWait(daemon, command(program))).toMatchObject({ status: 'success' });
  await expectNothingHeld();
});

test('arguments, environments and scripts that are too long', async () => {
  const { daemon, expectNothingHeld } = await startedDaemon();
  const long = 'x'.repeat(200_000);
  const message = /argument list too long/;
  const many = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`V${i}`, 'x'.repeat(130_000)]));
  const faults: Fault[] = [
    { request: command('/bin/echo', [long]), message },
    { request: command('/bin/echo', [long], LIMITED), message },
    { request: { execution: { kind: 'command', program: '/bin/true', env: { LONG: long } } }, message },
  ];
  for (let round = 0; round < 5; round++) await expectFailures(daemon, faults, faults.length);
  // A quarter of the stack limit is what all of it together may take: below that it runs.
  const big = await submitAndWait(daemon, {
    execution: { kind: 'command', program: '/bin/true', env: many },
  });
  expect(big).toMatchObject({ status: 'success' });
  // A script stands in a file, whatever runs it.
  for (const interpreter of [undefined, ['/bin/sh']])
    expect(
      await submitAndWait(daemon, {
        execution: { kind: 'script', script: `: ${long}\necho done`, interpreter },
      }),
    ).toMatchObject({ stdout: 'done\n' });
  await expectNothingHeld();
});

test('NUL is refused before anything is written', async () => {
  const daemon = await startDaemon();
  const bad = [
    command('/bin/echo', ['a\0b']),
    command('/bin/e\0cho'),
    { execution: { kind: 'command', program: '/bin/true', env: { A: '\0' } } },
    { execution: { kind: 'script', script: 'echo \0' } },
  ];
  for (const request of bad) {
    const answer = await http(daemon.url).post('/api/v1/tasks', request);
    expect([answer.status, answer.body.error.code]).toEqual([400, 'invalid_input']);
    expect(answer.body.error.message).toMatch(/NUL/);
  }
  expect(readdirSync(join(daemon.dataDir, 'tasks'))).toEqual([]);
});

test('what is removed between submit and start', async () => {
  const { daemon, expectNothingHeld } = await startedDaemon();
  const blockers = await submitBatch(
    daemon,
    Array.from({ length: SLOTS }, () => command('sleep', ['1000'])),
  );
  const program = join(tempDir(), 'program');
  copyFileSync('/bin/true', program);
  const submitMany = (request: object) =>
    submitBatch(
      daemon,
      Array.from({ length: 25 }, () => request),
    );
  const withoutCwd = await submitMany(command('/bin/true'));
  const withoutCwdLimited = await submitMany(command('/bin/true', [], LIMITED));
  const fileAsCwd = await submitMany(command('/bin/true'));
  const withoutProgram = await submitMany(command(program));
  const interpreter = ['/bin/sh'];
  const withoutScript = await submitMany({ execution: { kind: 'script', script: 'true', interpreter } });
  const taskDir = (id: string) => join(daemon.dataDir, 'tasks', id);
  for (const id of [...withoutCwd, ...withoutCwdLimited, ...fileAsCwd])
    rmSync(join(taskDir(id), 'workspace'), { recursive: true });
  for (const id of fileAsCwd) writeFileSync(join(taskDir(id), 'workspace'), '');
  for (const id of withoutScript) rmSync(join(taskDir(id), 'script.sh'));
  rmSync(program);
  for (const id of blockers) await http(daemon.url).post(`/api/v1/tasks/${id}/kill`);

  for (const id of [...withoutCwd, ...withoutCwdLimited])
    expectLaunchFailed(await waitForEnd(daemon, id), /working directory .*workspace does not exist/);
  for (const id of fileAsCwd)
    expectLaunchFailed(await waitForEnd(daemon, id), /working directory .*workspace is not a directory/);
  for (const id of withoutProgram)
    expectLaunchFailed(await waitForEnd(daemon, id), /program": no such file or directory/);
  // The interpreter ran: what it could not find is its own affair, and it says so.
  for (const id of withoutScript)
    expect(await waitForEnd(daemon, id)).toMatchObject({
      error: { code: 'exit_nonzero' },
      stderr: expect.stringMatching(/script\.sh/) as string,
    });
  await expectNothingHeld();
});
