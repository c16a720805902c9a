import { describe, expect, it } from 'vitest';
import { ExecgoApiError } from '../../src/client/index.js';
import { addRequestOptions, buildRequest, type RequestOptions } from '../../src/cli/request-options.js';
import { clientCommand } from '../../src/cli/command.js';
import { flagsInText, inFlags, REQUEST_FLAGS } from '../../src/cli/typed-flags.js';
import { LIMITS } from '../../src/sandbox/limits/limits.js';
import { submitSchema } from '../../src/task/request.js';
import { invalidInputFrom } from '../../src/task/validate.js';

/** The refusal of the API for a request that it finds wrong, as a command line tells it. */
function told(request: unknown): string {
  const { error } = submitSchema.safeParse(request);
  const { message, details } = invalidInputFrom(error!) as Error & { details?: unknown };
  return inFlags(new ExecgoApiError('invalid_input', message, 400, details), REQUEST_FLAGS).message;
}

const command = { kind: 'command', program: 'x' };

describe('a refusal', () => {
  it.each([
    [{ task_id: 'no good', execution: command }, /^invalid input: --id: must be 1 to 128 letters/],
    [{ execution: { ...command, cwd: 'x' } }, /^invalid input: -C: must be an absolute path$/],
    [{ execution: { ...command, program: '' } }, /: the program: is empty: give .* after --$/],
    [{ execution: { ...command, args: ['a', '\0'] } }, /: the arguments: must not contain a NUL/],
    [{ execution: { ...command, env: { A: '\0' } } }, /: -e A: must not contain a NUL/],
    [{ execution: { ...command, env: { 'A=': '' } } }, /: -e A=: keys must be non-empty and without "="/],
    [{ execution: { kind: 'script', script: ' ' } }, /: --script: is empty: name a file/],
    [
      { execution: command, control_context: { labels: { 'a.b': '\0' }, owner: 'a\nb' } },
      /: --owner: must hold no control characters; --label a\.b: must not/,
    ],
    [
      { execution: { ...command, cwd: '/' }, sandbox: { workspace_subdir: 'a' } },
      /: -C: cannot be given together with --workspace-subdir:/,
    ],
    [
      { execution: command, limits: { memory_bytes: 0, pids_max: 0, nofile: 0, cpu_millis: 0, nice: 99 } },
      /--cpu-millis: [^;]*; --memory: must be greater than 0 bytes; --pids: must be greater than 0; and 2 more$/,
    ],
  ])('%j is told in flags', (request, message) => {
    expect(told(request)).toMatch(message);
  });

  it('of more than there is says how much that is', () => {
    const error = new ExecgoApiError(
      'insufficient_resources',
      'insufficient resources: memory_bytes 2147483648 is more than the capacity of this machine, 1073741824',
      400,
      { resource: 'memory_bytes', requested: 2_147_483_648, capacity: 1_073_741_824, scope: 'capacity' },
    );
    expect(inFlags(error, REQUEST_FLAGS).message).toBe(
      'insufficient resources: --memory 2.0 GiB is more than the capacity of this machine, 1.0 GiB',
    );
  });

  it('keeps what a program reads of it', () => {
    const error = new ExecgoApiError(
      'resource_limit_exceeded',
      'queue is full',
      429,
      { a: 1 },
      1000,
      'http://h',
    );
    expect(inFlags(error, REQUEST_FLAGS)).toEqual(error);
  });
});

describe('a sentence of the daemon', () => {
  it.each([
    ['control_context.queue is kept', '--queue is kept'],
    ['execution.cwd names a directory', '-C names a directory'],
    ['task exceeded wall_time_ms: 5 ms', 'task exceeded --wall-time: 5 ms'],
    ['memory_bytes limits the address space', '--memory limits the address space'],
    ['limits.queue_timeout_ms sets it', '--queue-timeout sets it'],
    ['"limits.memory_bytes": not found', '"limits.memory_bytes": not found'],
    ['"a \\" limits.memory_bytes": not found', '"a \\" limits.memory_bytes": not found'],
    ['linux_sandbox at 127.0.0.1 with nice pids', 'linux_sandbox at 127.0.0.1 with nice pids'],
    ['toString __proto__ constructor.name', 'toString __proto__ constructor.name'],
  ])('%s', (text, said) => {
    expect(flagsInText(text)).toBe(said);
  });
});

it('every field that flags can send has its flag', () => {
  const parsed = addRequestOptions(clientCommand('run', '', [])).parse(
    [
      ...LIMITS.flatMap(({ flag }) => [`--${flag.name}`, flag.value === '<duration>' ? '1s' : '1']),
      ...['--stdout-max', '1', '--stderr-max', '1', '--stdout-keep', '1', '--stderr-keep', '1'],
      ...['--queue-timeout', '1s', '--priority', '1', '--queue', 'q', '--lane', 'l', '--session', 's'],
      ...['--tenant', 't', '--owner', 'o', '--label', 'a=b', '--metadata', 'a=b', '--idempotency-key', 'k'],
      ...['--sandbox', 'process', '--strict', '--id', 'i', '-e', 'A=b', 'program', 'argument'],
    ].map((word, i, all) => (word === '1' && all[i - 1] === '--cpu-time' ? '1s' : word)),
    { from: 'user' },
  );
  const sent = [
    buildRequest(parsed.opts<RequestOptions>(), parsed.args),
    { execution: { script: 's', interpreter: ['i'] }, sandbox: { workspace_subdir: 's' } },
  ];
  const fields = sent.flatMap((request) =>
    Object.entries(request).flatMap(([part, value]) =>
      typeof value === 'string' || part === 'metadata'
        ? [part]
        : Object.keys(value as object).map((name) => `${part}.${name}`),
    ),
  );
  const known = [...Object.keys(REQUEST_FLAGS), 'execution.kind'];
  expect(fields.filter((field) => !known.includes(field))).toEqual([]);
  expect(fields.length).toBeGreaterThan(20);
});
