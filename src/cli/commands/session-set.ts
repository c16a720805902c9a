import type { SessionEdit } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { ownerOption } from '../each-task.js';
import { EXIT } from '../exit-codes.js';
import { printSession } from '../session-lines.js';
import { addSessionOptions, inSessionFlags, tenantOption, type SessionOptions } from '../session-options.js';
import { parseCount } from '../units.js';
import { UsageError } from '../usage-error.js';

interface Options extends SessionOptions {
  server: string;
  tenant?: string;
  owner?: string;
  expiry?: boolean;
  end?: boolean;
  ifVersion?: number;
  json?: boolean;
}

/** `execgo session set`: changes what is said of a session. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = addSessionOptions(
    clientCommand('session set', 'Changes what is said of a session; what no flag names stays.', [
      'execgo session set refactor-42 --ttl 8h --concurrency 2',
      'execgo session set refactor-42 --end',
    ]).argument('<session>', 'the session'),
  )
    .option('--no-expiry', 'it takes tasks until it is idle for too long')
    .option('--end', 'let it take no more tasks, for good; its files stay')
    .addOption(tenantOption())
    .addOption(ownerOption())
    .option('--if-version <n>', 'only if the session has this version, which session show tells', parseCount)
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<Options>();
  const { tenant, owner, json } = options;
  const changes = changesOf(options);
  const view = await inSessionFlags(() =>
    connect(options).sessions.edit(command.args[0] ?? '', changes, {
      tenant,
      owner: owner === '' ? undefined : owner,
    }),
  );
  await printSession(view, json === true);
  return EXIT.ok;
}

/** @throws UsageError when the flags name no change */
function changesOf({
  title,
  metadata,
  ttl,
  expiresAt,
  concurrency,
  expiry,
  end,
  ifVersion,
}: Options): SessionEdit {
  const changes: SessionEdit = {
    ...(title === undefined ? {} : { title: title === '' ? null : title }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(ttl === undefined ? {} : { ttl_secs: ttl }),
    ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
    ...(expiry === false ? { expires_at: null } : {}),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(end === true ? { state: 'ended' as const } : {}),
  };
  if (Object.keys(changes).length === 0)
    throw new UsageError('nothing to change: give a flag such as --title, --ttl or --end');
  if (expiry === false && (ttl !== undefined || expiresAt !== undefined))
    throw new UsageError('give --no-expiry, or --ttl or --expires-at, not both');
  return ifVersion === undefined ? changes : { ...changes, if_version: ifVersion };
}
