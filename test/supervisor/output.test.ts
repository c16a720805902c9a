import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OutputCapture } from '../../src/supervisor/output-capture.js';
import type { StreamSpec } from '../../src/supervisor/protocol.js';
import {
  TAIL_BYTES,
  TAIL_HEADER_BYTES,
  decodeTail,
  encodeTailHeader,
} from '../../src/supervisor/tail-format.js';
import { tempDir } from '../harness/temp-dir.js';
import { waitFor } from '../harness/wait.js';
import { buildSupervisor } from './build.js';
import { SupervisorUnderTest } from './harness.js';

let build: ReturnType<typeof buildSupervisor>;
beforeAll(() => {
  build = buildSupervisor();
});
afterAll(() => build.remove());

/** Bytes whose place can be told from their value. */
function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >>> 8)) & 0xff;
  return bytes;
}

function opened(spec: StreamSpec): OutputCapture {
  const capture = new OutputCapture(spec);
  capture.open();
  return capture;
}

describe('a capture', () => {
  function capture(maxBytes: number) {
    const dir = tempDir();
    const spec = { path: join(dir, 'log'), max_bytes: maxBytes, tail_path: join(dir, 'tail') };
    return { spec, capture: opened(spec) };
  }

  test('keeps the head and the tail of any series of chunks', () => {
    const lengths = fc.array(fc.oneof(fc.nat(300), fc.nat(200_000)), { maxLength: 8 });
    const caps = fc.oneof(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 300_000 }));
    const dir = tempDir();
    let round = 0;
    fc.assert(
      fc.property(lengths, caps, (sizes, maxBytes) => {
        const spec = {
          path: join(dir, `log${round}`),
          max_bytes: maxBytes,
          tail_path: join(dir, `tail${round++}`),
        };
        const sink = opened(spec);
        const all = pattern(sizes.reduce((sum, size) => sum + size, 0));
        let at = 0;
        for (const size of sizes) sink.write(all.subarray(at, (at += size)));
        const kept = Math.min(all.length, maxBytes);
        expect(sink.close()).toEqual({ bytes: all.length, kept_bytes: kept });
        expect(readFileSync(spec.path).equals(all.subarray(0, kept))).toBe(true);
        expect(existsSync(spec.tail_path)).toBe(all.length > maxBytes);
        if (all.length <= maxBytes) return;
        const tail = decodeTail(readFileSync(spec.tail_path))!;
        expect(tail.total).toBe(all.length);
        expect(tail.bytes.equals(all.subarray(Math.max(0, all.length - TAIL_BYTES)))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('makes files for their owner only', () => {
    const { capture: sink, spec } = capture(1);
    sink.write(Buffer.from('ab'));
    sink.close();
    expect(statSync(spec.path).mode & 0o777).toBe(0o600);
    expect(statSync(spec.tail_path).mode & 0o777).toBe(0o600);
  });

  test('a log that cannot be written costs output and nothing else', () => {
    const full = { path: '/dev/full', max_bytes: 1000, tail_path: join(tempDir(), 'tail') };
    const sink = opened(full);
    sink.write(Buffer.from('one'));
    sink.write(Buffer.from('two'));
    expect(sink.error?.message).toMatch(/ENOSPC/);
    expect(sink.close()).toEqual({ bytes: 6, kept_bytes: 0 });
    expect(decodeTail(readFileSync(full.tail_path))).toEqual({ total: 6, bytes: Buffer.from('onetwo') });
  });

  test('does not follow a symbolic link', () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'precious'), 'kept');
    symlinkSync(join(dir, 'precious'), join(dir, 'log'));
    const sink = opened({ path: join(dir, 'log'), max_bytes: 10, tail_path: join(dir, 'tail') });
    sink.write(Buffer.from('x'));
    expect(sink.close()).toEqual({ bytes: 1, kept_bytes: 0 });
    expect(readFileSync(join(dir, 'precious'), 'utf8')).toBe('kept');
  });
});

test('what is no tail is not decoded', () => {
  expect(decodeTail(Buffer.alloc(0))).toBeUndefined();
  expect(decodeTail(Buffer.alloc(TAIL_HEADER_BYTES + 10))).toBeUndefined();
  expect(decodeTail(encodeTailHeader(5))).toBeUndefined();
  expect(decodeTail(Buffer.concat([encodeTailHeader(3), Buffer.from('abc')]))).toEqual({
    total: 3,
    bytes: Buffer.from('abc'),
  });
});

describe.each(['libc', 'execa'] as const)('with the %s launcher', (launcher) => {
  const start = () => SupervisorUnderTest.start(build.entry, { launcher });

  test('bytes are bytes, and each stream has its own file', async () => {
    const supervisor = await start();
    const { outcome, launchId } = await supervisor.run('printf "a\\0\\377b"; printf "\\376" >&2');
    expect(readFileSync(supervisor.path(launchId, 'stdout.log'))).toEqual(Buffer.from([97, 0, 255, 98]));
    expect(readFileSync(supervisor.path(launchId, 'stderr.log'))).toEqual(Buffer.from([254]));
    expect(outcome).toMatchObject({
      stdout: { bytes: 4, kept_bytes: 4 },
      stderr: { bytes: 1, kept_bytes: 1 },
    });
    expect(existsSync(supervisor.path(launchId, 'stdout.tail'))).toBe(false);
  });

  test('head and tail are exact past the cap', async () => {
    const supervisor = await start();
    const { outcome, stdout, launchId } = await supervisor.run('seq 1 200000', { maxBytes: 1000 });
    const all = Array.from({ length: 200_000 }, (_, n) => `${n + 1}\n`).join('');
    expect(outcome.stdout).toEqual({ bytes: all.length, kept_bytes: 1000 });
    expect(stdout).toBe(all.slice(0, 1000));
    const tail = decodeTail(readFileSync(supervisor.path(launchId, 'stdout.tail')))!;
    expect(tail.total).toBe(all.length);
    expect(tail.bytes.toString()).toBe(all.slice(-TAIL_BYTES));
  });

  test('the tail can be read while the stream flows', async () => {
    const supervisor = await start();
    const id = supervisor.sh('seq 1 1000; exec sleep 1000', { maxBytes: 10 });
    const tail = await waitFor(() => decodeTail(readFileSync(supervisor.path(id, 'stdout.tail'))));
    expect(tail.bytes.toString()).toMatch(/\n999\n1000\n$/);
  });

  test('a flood keeps memory flat and neighbours served', async () => {
    const supervisor = await start();
    const flood = supervisor.sh('exec yes', { maxBytes: 100_000 });
    const produced = () => decodeTail(readFileSync(supervisor.path(flood, 'stdout.tail')))!.total;
    const resident = () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${supervisor.process.pid}/status`, 'utf8'))![1]);
    await waitFor(() => produced() > 20_000_000);
    const before = resident();
    for (let n = 0; n < 5; n++) expect((await supervisor.run('echo here')).stdout).toBe('here\n');
    await waitFor(() => produced() > 200_000_000);
    expect(resident() - before).toBeLessThan(40_000);
    supervisor.send({ type: 'kill', launch_id: flood });
    const outcome = await supervisor.outcome(flood);
    expect(outcome.stdout.kept_bytes).toBe(100_000);
    expect(outcome.stdout.bytes).toBeGreaterThan(200_000_000);
  });
});

test('a full disk does not end a task', async () => {
  const supervisor = await SupervisorUnderTest.start(build.entry);
  const stdout = { path: '/dev/full', max_bytes: 1000, tail_path: join(supervisor.dir, 'tail') };
  const outcome = await supervisor.outcome(supervisor.sh('seq 1 100; exit 6', { stdout }));
  expect(outcome).toMatchObject({ exit_code: 6, stdout: { bytes: 292, kept_bytes: 0 } });
});
