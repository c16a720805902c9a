import { Option, type Command } from 'commander';
import { ExecgoApiError } from '../client/index.js';
import { collectPair, parseCount, parseSeconds } from './units.js';

/** What is said of a session by flags. */
export interface SessionOptions {
  title?: string;
  metadata?: Record<string, string>;
  ttl?: number;
  expiresAt?: string;
  concurrency?: number;
}

/** Adds the flags of {@link SessionOptions}. */
export function addSessionOptions(command: Command): Command {
  return command
    .option('--title <text>', 'for people')
    .option('-m, --metadata <key=value>', 'what programs keep with it; repeatable', collectPair)
    .option('--ttl <duration>', 'how long it takes tasks, from now on, such as 8h', parseSeconds)
    .option('--expires-at <time>', 'until when it takes tasks, such as 2027-01-31T12:00:00Z')
    .option('--concurrency <n>', 'how many of its tasks may run at once; 1 without it', parseCount);
}

/** Whose session it must be. */
export function tenantOption(): Option {
  return new Option('--tenant <name>', 'whose session it must be; whoever has it without it');
}

/** What was typed for the fields of the API. */
const FLAGS = {
  session_id: 'the id',
  ...{ tenant: '--tenant', owner: '--owner', title: '--title', metadata: '--metadata', state: '--state' },
  ...{ ttl_secs: '--ttl', expires_at: '--expires-at', concurrency: '--concurrency' },
  ...{
    cursor: '--cursor',
    limit: '-n',
    reader: 'the reader',
    version: '--up-to-version',
    event_seq: '--up-to',
  },
};

/** Calls `ask`; a refusal that names a field of the API names its flag instead. */
export async function inSessionFlags<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof ExecgoApiError)) throw error;
    const { inFlags } = await import('./typed-flags.js');
    throw inFlags(error, FLAGS);
  }
}
