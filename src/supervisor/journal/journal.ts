import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { errnoOf } from '../../files/errno.js';
import type { Outcome, Running } from '../wire/protocol.js';

/** What the supervisor writes down before it acts, or before it tells the daemon. */
export type JournalRecord =
  /** Before the spawn. */
  | { t: 'began'; launch_id: number; token: string; at_ms: number }
  /** The process exists; its process group has its pid. */
  | { t: 'started'; launch: Running }
  /** Before the daemon is told. */
  | { t: 'outcome'; outcome: Outcome }
  /** The daemon has committed these. */
  | { t: 'acked'; launch_ids: number[] };

/** The intact beginning of a journal. */
export interface JournalContents {
  records: JournalRecord[];
  /** The first damaged line, counted from 1; neither it nor anything after it is used. */
  damage?: { line: number; reason: string };
}

/** What a journal says about one attempt. An attempt that is not in an intact journal never began. */
export interface AttemptHistory {
  token: string;
  began_at_ms?: number;
  started?: Running;
  outcome?: Outcome;
  acked: boolean;
}

/** @returns one line: CRC-32 of the JSON as 8 hex digits, a space, the JSON. */
export function encodeRecord(record: JournalRecord): string {
  const json = JSON.stringify(record);
  return `${checksum(json)} ${json}\n`;
}

/**
 * Reads the intact beginning of a journal, which may still be written to or have been cut off by a crash.
 * @returns no records when there is no such file.
 * @throws Error when the file exists and cannot be read.
 */
export function readJournal(path: string): JournalContents {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return { records: [] };
    throw error;
  }
  const lines = text.split('\n');
  const cutOff = lines.pop();
  const records: JournalRecord[] = [];
  for (const line of lines) {
    const record = decodeLine(line);
    if (typeof record === 'string') return { records, damage: { line: records.length + 1, reason: record } };
    records.push(record);
  }
  if (cutOff === '') return { records };
  return { records, damage: { line: records.length + 1, reason: 'the last line is cut off' } };
}

/** @returns the history of each attempt in `records`, by its id. */
export function summariseJournal(records: readonly JournalRecord[]): Map<number, AttemptHistory> {
  const histories = new Map<number, AttemptHistory>();
  const of = (launchId: number, token: string): AttemptHistory => {
    const history = histories.get(launchId) ?? { token, acked: false };
    histories.set(launchId, history);
    return history;
  };
  for (const record of records) {
    switch (record.t) {
      case 'began':
        of(record.launch_id, record.token).began_at_ms = record.at_ms;
        break;
      case 'started':
        of(record.launch.launch_id, record.launch.token).started = record.launch;
        break;
      case 'outcome':
        of(record.outcome.launch_id, record.outcome.token).outcome = record.outcome;
        break;
      case 'acked':
        for (const launchId of record.launch_ids) {
          const history = histories.get(launchId);
          if (history !== undefined) history.acked = true;
        }
    }
  }
  return histories;
}

/** @returns the record, or why the line is not one. */
function decodeLine(line: string): JournalRecord | string {
  const json = line.slice(9);
  if (line.slice(0, 9) !== `${checksum(json)} `) return 'the checksum does not match';
  try {
    return JSON.parse(json) as JournalRecord;
  } catch {
    return 'not JSON';
  }
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}
