import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OutputCapture } from '../../src/supervisor/capture/output-capture.js';
import type { StreamSpec } from '../../src/supervisor/wire/protocol.js';
import {
  TAIL_BYTES,
  TAIL_HEADER_BYTES,
  decodeTail,
  encodeTailHeader,
} from '../../src/supervisor/capture/tail-format.js';
import { mountDisk } from '../faults/disk.js';
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

/** A log in a task's directory of a data directory that is a disk of its own. */
function logOn(disk: string): string {
  mkdirSync(join(disk, 'tasks', 'id'), { recursive: true });
  return join(disk, 'tasks', 'id', 'log');
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
    const disk = mountDisk(join(tempDir(), 'disk'), 1);
    const full = { path: logOn(disk.path), max_bytes: 1000, tail_path: join(tempDir(), 'tail') };
    const sink = opened(full);
    disk.fill();
    sink.write(Buffer.from('one'));
    sink.write(Buffer.from('two'));
    expect(sink.error?.message).toMatch(/ENOSPC/);
    expect(sink.close()).toEqual({ bytes: 6, kept_bytes: 0, error: expect.stringMatching(/ENOSPC/) });
    expect(decodeTail(readFileSync(full.tail_path))).toEqual({ total: 6, bytes: Buffer.from('onetwo') });
  });

  /** What a task can put in the place of a file. */
  const THINGS: Record<string, (path: string, outside: string) => unknown> = {
    'a link': (path, outside) => symlinkSync(outside, path),
    'a dangling link': (path) => symlinkSync('/nowhere/at/all', path),
    'a FIFO': (path) => execFileSync('mkfifo', [path]),
    'a device': (path) => execFileSync('mknod', [path, 'c', '1', '3']),
    'a directory': (path) => mkdirSync(join(path, 'deep'), { recursive: true }),
    'another file': (path) => writeFileSync(path, 'another'),
    'a name of a file outside': (path, outside) => linkSync(outside, path),
  };

  function place(): { dir: string; outside: string; spec: StreamSpec; untouched: () => void } {
    const base = tempDir();
    const dir = join(base, 'data/tasks/task');
    mkdirSync(dir, { recursive: true });
    const outside = join(base, 'outside');
    writeFileSync(outside, 'untouched');
    return {
      dir,
      outside,
      spec: { path: join(dir, 'log'), max_bytes: 10, tail_path: join(dir, 'tail') },
      untouched: () => expect(readFileSync(outside, 'utf8')).toBe('untouched'),
    };
  }

  test.each(Object.entries(THINGS))('%s that was there before is not written to', (name, put) => {
    for (const file of ['log', 'tail']) {
      const { dir, outside, spec, untouched } = place();
      put(join(dir, file), outside);
      const sink = opened(spec);
      sink.write(Buffer.from('0123456789abc'));
      const lost = name === 'a directory';
      expect(sink.close()).toMatchObject({
        bytes: 13,
        kept_bytes: lost && file === 'log' ? 0 : 10,
        ...(lost ? { error: expect.stringContaining(join(dir, file)) } : {}),
      });
      if (!lost) expect(readFileSync(spec.path, 'utf8')).toBe('0123456789');
      untouched();
    }
  });

  test.each(Object.entries(THINGS))('%s that takes the place of a log is not written to', (_name, put) => {
    const { dir, outside, spec, untouched } = place();
    const sink = opened(spec);
    rmSync(spec.path);
    put(spec.path, outside);
    sink.write(Buffer.from('0123'));
    expect(sink.close()).toEqual({
      bytes: 4,
      kept_bytes: 0,
      error: expect.stringContaining(join(dir, 'log')),
    });
    expect(decodeTail(readFileSync(spec.tail_path))?.bytes.toString()).toBe('0123');
    untouched();
  });

  const FOR_A_DIRECTORY = Object.entries(THINGS).filter(([name]) => name !== 'a name of a file outside');
  test.each(FOR_A_DIRECTORY)("%s in the place of the task's directory costs its output", (_name, put) => {
    const { dir, outside, spec, untouched } = place();
    const sink = opened(spec);
    renameSync(dir, `${dir}.away`);
    put(dir, dirname(outside));
    sink.write(Buffer.from('0123'));
    expect(sink.close()).toEqual({ bytes: 4, kept_bytes: 0, error: expect.any(String) });
    untouched();
    expect(readdirSync(dirname(outside)).sort()).toEqual(['data', 'outside']);
  });

  test('a log that the task has made longer or shorter still begins with its output', () => {
    const { spec } = place();
    const sink = opened(spec);
    sink.write(Buffer.from('0123'));
    truncateSync(spec.path, 2 ** 40);
    sink.write(Buffer.from('4567'));
    expect(sink.close()).toEqual({ bytes: 8, kept_bytes: 8 });
    truncateSync(spec.path, 8);
    expect(readFileSync(spec.path, 'utf8')).toBe('01234567');
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
  const disk = mountDisk(join(tempDir(), 'disk'), 1);
  const path = logOn(disk.path);
  disk.fill();
  const supervisor = await SupervisorUnderTest.start(build.entry);
  const stdout = { path, max_bytes: 1000, tail_path: join(supervisor.dir, 'tail') };
  const outcome = await supervisor.outcome(supervisor.sh('seq 1 100; exit 6', { stdout }));
  expect(outcome).toMatchObject({
    exit_code: 6,
    stdout: { bytes: 292, kept_bytes: 0, error: expect.stringMatching(/ENOSPC/) },
  });
});

test('a FIFO in the place of an output file holds up neither the task nor its neighbours', async () => {
  const supervisor = await SupervisorUnderTest.start(build.entry);
  const inPlaceOf = (id: number, file: string) => {
    const path = supervisor.path(id, file);
    return `rm -f ${path}; mkfifo ${path}; seq 1 50000; seq 1 50000 >&2; exit 4`;
  };
  const ids = ['stdout.log', 'stderr.log', 'stdout.tail'].map((file, i) =>
    supervisor.sh(inPlaceOf(i + 1, file), { maxBytes: file.endsWith('.tail') ? 10 : 4_194_304 }),
  );
  for (const id of ids) expect(await supervisor.outcome(id)).toMatchObject({ exit_code: 4 });
  expect((await supervisor.run('echo here')).stdout).toBe('here\n');
});
