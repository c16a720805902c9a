import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { DATA_DIR } from '../settings/defaults.js';
import { UsageError } from './usage-error.js';

/** `--data-dir`, for commands that work on the files of a daemon. */
export function dataDirOption(): Option {
  return new Option('--data-dir <path>', `the data directory (default: ${DATA_DIR})`);
}

/** The absolute path that `--data-dir` names. */
export function dataDirOf(options: { dataDir?: string | undefined }): string {
  return resolve(options.dataDir ?? DATA_DIR);
}

/**
 * Whether a command that can either ask a daemon or work on its files does the latter: when `--data-dir` is given, or when
 * neither option is and the default data directory is in the working directory.
 * @throws UsageError when both `--data-dir` and `--server` are given
 */
export function worksOnFiles(command: Command): boolean {
  const server = command.getOptionValueSource('server');
  const { dataDir } = command.opts<{ dataDir?: string }>();
  if (dataDir !== undefined && server === 'cli')
    throw new UsageError('give --data-dir or --server, not both');
  if (dataDir !== undefined) return true;
  return server === 'default' && existsSync(join(DATA_DIR, 'runtime.db'));
}
