import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { resolvePlan } from '../../src/sandbox/plan.js';
import { ableHost, request } from '../sandbox/hosts.js';
import { command, http, script, startDaemon, submitAndWait } from '../harness/index.js';

const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim();
/** False where the kernel hands core files to a program, which then decides. */
const FILES = !/^[|@]/.test(pattern);
const MIB = 2 ** 20;

/** Crashes with 4 MiB in its memory, in a process that knows no core pattern but that of this host. */
const CRASH = `python3 -c 'import os
kept = os.urandom(4 << 20)
os.abort()'
stat -c "%n %s" core* 2>/dev/null || echo none`;

test('a core file is as big as it may be, and with 0 there is none', async () => {
  const daemon = await startDaemon();
  const crash = async (limits: object) => {
    const end = await submitAndWait(daemon, script(CRASH, { limits }));
    return { end, size: Number(/ (\d+)$/m.exec(end.stdout)?.[1] ?? 0) };
  };
  for (const core_bytes of [0, 511, MIB]) {
    const { end, size } = await crash({ core_bytes });
    expect(end.execution_plan).toMatchObject({
      degraded: !FILES,
      resource_enforcement: {
        core_bytes,
        core_enforced: true,
        core_mechanism: 'rlimit',
        core_scope: 'per_process',
      },
    });
    expect(size).toBeLessThanOrEqual(core_bytes);
    if (core_bytes < 512) expect(end.stdout).toBe('none\n');
  }
  // Only a pattern without a directory leaves it where the task is.
  if (FILES && !pattern.includes('/'))
    expect((await crash({ core_bytes: 64 * MIB })).size).toBeGreaterThan(4 * MIB);
});

test('it is set in bytes, also by a shell that counts in blocks', async () => {
  const daemon = await startDaemon();
  const read = command('grep', ['core file', '/proc/self/limits'], { limits: { core_bytes: MIB } });
  expect((await submitAndWait(daemon, read)).stdout).toMatch(/^Max core file size +1048576 +1048576 +bytes/);
  const refused = await http(daemon.url).post(
    '/api/v1/tasks',
    command('true', [], { limits: { core_bytes: -1 } }),
  );
  expect(refused.body.error.message).toContain('limits.core_bytes: must be 0, for no core file, or more');
});

test('where the kernel hands core files to a program, the plan says so, and strict refuses', () => {
  const host = ableHost({ core_limit: false, reasons: { core_limit: 'kernel.core_pattern is "|/bin/x"' } });
  const planned = (capabilityMode: 'adaptive' | 'strict') =>
    resolvePlan(request({ limits: { core_bytes: 0 } }), host, { capabilityMode, wallTimeMs: 0 }).plan;
  expect(planned('adaptive')).toMatchObject({
    fallback_reasons: [expect.stringMatching(/^core_bytes is told to .*\(kernel.core_pattern is/)],
    resource_enforcement: { core_enforced: true, core_mechanism: 'rlimit' },
  });
  expect(() => planned('strict')).toThrow(/unsupported capability: core_bytes/);
});
