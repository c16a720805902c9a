import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeRecord, readJournal, summariseJournal } from '../../src/supervisor/journal/journal.js';
import type { JournalRecord } from '../../src/supervisor/journal/journal.js';
import { JournalWriter } from '../../src/supervisor/journal/journal-writer.js';
import type { Outcome } from '../../src/supervisor/wire/protocol.js';
import { tempDir } from '../harness/temp-dir.js';

const began = (id: number): JournalRecord => ({
  t: 'began',
  launch_id: id,
  token: `t${id}`,
  at_ms: 1000 + id,
});
const running = (id: number) => ({
  launch_id: id,
  token: `t${id}`,
  pid: 100 + id,
  start_ticks: 7,
  started_at_ms: 2,
});
const outcome = (id: number): Outcome => ({
  launch_id: id,
  token: `t${id}`,
  exit_code: 0,
  finished_at_ms: 3,
  duration_ms: 1,
  oom: false,
  cpu_exceeded: false,
  stdout: { bytes: 0, kept_bytes: 0 },
  stderr: { bytes: 0, kept_bytes: 0 },
  usage: {},
});
const records: JournalRecord[] = [
  began(1),
  { t: 'started', launch: running(1) },
  began(2),
  { t: 'outcome', outcome: outcome(1) },
  { t: 'started', launch: running(2) },
  { t: 'acked', launch_ids: [1] },
  began(3),
];

test('what was appended is read, and summed up for each launch', () => {
  const path = join(tempDir(), 'journal');
  const writer = new JournalWriter(path);
  for (const record of records) writer.append(record);
  writer.close();
  const contents = readJournal(path);
  expect(contents).toEqual({ records });
  const histories = summariseJournal(contents.records);
  expect([...histories.keys()]).toEqual([1, 2, 3]);
  expect(histories.get(1)).toEqual({
    token: 't1',
    began_at_ms: 1001,
    started: running(1),
    outcome: outcome(1),
    acked: true,
  });
  expect(histories.get(2)).toEqual({ token: 't2', began_at_ms: 1002, started: running(2), acked: false });
  expect(histories.get(3)).toEqual({ token: 't3', began_at_ms: 1003, acked: false });
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('a journal that is not there has no records', () => {
  expect(readJournal(join(tempDir(), 'none'))).toEqual({ records: [] });
});

describe('of a damaged journal', () => {
  const text = Buffer.from(records.map(encodeRecord).join(''));

  test('what stands before a cut is used, wherever it is cut', () => {
    const path = join(tempDir(), 'journal');
    fc.assert(
      fc.property(fc.nat(text.length), (length) => {
        const cut = text.subarray(0, length);
        writeFileSync(path, cut);
        const whole = cut.toString().split('\n').length - 1;
        const { records: read, damage } = readJournal(path);
        expect(read).toEqual(records.slice(0, whole));
        const endsWhole = length === 0 || cut.at(-1) === 0x0a;
        expect(damage?.line).toBe(endsWhole ? undefined : whole + 1);
      }),
    );
  });

  test('what stands before a changed bit is used, whichever it is', () => {
    const path = join(tempDir(), 'journal');
    fc.assert(
      fc.property(fc.nat(text.length * 8 - 1), (bit) => {
        const changed = Buffer.from(text);
        changed[bit >> 3]! ^= 1 << (bit & 7);
        writeFileSync(path, changed);
        const before =
          text
            .subarray(0, bit >> 3)
            .toString()
            .split('\n').length - 1;
        const { records: read, damage } = readJournal(path);
        expect(read).toEqual(records.slice(0, before));
        expect(damage?.line).toBe(before + 1);
      }),
    );
  });
});

describe('the writer', () => {
  test('goes on after what is there', () => {
    const path = join(tempDir(), 'journal');
    writeFileSync(path, encodeRecord(began(1)));
    const writer = new JournalWriter(path);
    writer.append(began(2));
    writer.close();
    expect(readJournal(path)).toEqual({ records: [began(1), began(2)] });
  });

  test('cuts away a record of which only a part was written', () => {
    const path = join(tempDir(), 'journal');
    const writer = new JournalWriter(path);
    writer.append(began(1));
    expect(() => writer.append({ t: 'acked', launch_ids: [1n as unknown as number] })).toThrow();
    appendFileSync(path, 'half a rec');
    writer.append(began(2));
    writer.close();
    expect(readJournal(path)).toEqual({ records: [began(1), began(2)] });
  });

  test('says that the disk is full', () => {
    const writer = new JournalWriter('/dev/full');
    expect(() => writer.append(began(1))).toThrow(/ENOSPC/);
    writer.close();
  });

  test('empties itself when all is acknowledged, and keeps what is not when it has grown', () => {
    const path = join(tempDir(), 'journal');
    const writer = new JournalWriter(path);
    const fill = (bytes: number) => {
      while (statSync(path).size <= bytes) writer.append(...Array.from({ length: 100 }, (_, n) => began(n)));
    };
    writer.append(began(1));
    writer.compact(() => []);
    expect(readJournal(path).records).toHaveLength(1);
    fill(65_536);
    writer.compact(() => []);
    expect(statSync(path).size).toBe(0);
    fill(65_536);
    const size = statSync(path).size;
    writer.compact(() => [began(5)]);
    expect(statSync(path).size).toBe(size);
    fill(1_048_576);
    writer.compact(() => [began(5), { t: 'outcome', outcome: outcome(5) }]);
    writer.append(began(6));
    writer.close();
    expect(readJournal(path).records).toEqual([began(5), { t: 'outcome', outcome: outcome(5) }, began(6)]);
    expect(() => readFileSync(`${path}.new`)).toThrow(/ENOENT/);
  });
});
