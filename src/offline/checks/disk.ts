import fs from 'node:fs';
import path from 'node:path';
import { WAL_MAX_BYTES } from '../../runtime/upkeep/wal-keeper.js';
import { ok, problem, type Finding } from './finding.js';

/** With less than this share of blocks or inodes left, or this many bytes, submits will soon be refused. */
const LOW_SHARE = 0.02;
const LOW_BYTES = 256 * 1024 * 1024;
const MIB = 1024 * 1024;
/** A moment of work may fill the log up to its bound; it is a problem when it stays above twice that. */
const WAL_PROBLEM_BYTES = 2 * WAL_MAX_BYTES;

/**
 * Checks the free space on the disk of the data directory, the length of the write-ahead log, and the files that could not
 * be deleted.
 */
export function diskFindings(dataDir: string): Finding[] {
  const { bsize, bavail, blocks, ffree, files } = fs.statfsSync(dataDir);
  const free = bavail * bsize;
  const inodesLow = files > 0 && ffree / files < LOW_SHARE;
  const low = free < LOW_BYTES || bavail / blocks < LOW_SHARE || inodesLow;
  const room = `${Math.floor(free / MIB)} MiB free (${Math.round((bavail / blocks) * 100)} %), ${ffree} inodes free`;
  const findings: Finding[] = [
    low
      ? problem(
          'disk',
          `the disk is nearly full: ${room}`,
          'make room there, or remove old tasks with execgo gc --older-than 1d',
        )
      : ok('disk', room),
  ];
  const wal = fs.statSync(path.join(dataDir, 'runtime.db-wal'), { throwIfNoEntry: false })?.size ?? 0;
  if (wal > WAL_PROBLEM_BYTES)
    findings.push(
      problem(
        'disk',
        `the write-ahead log of the database is ${Math.floor(wal / MIB)} MiB long`,
        'another process reads the database and does not let go: find it with lsof, and end it',
      ),
    );
  return findings;
}
