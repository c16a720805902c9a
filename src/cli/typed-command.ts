import { shellWord } from '../files/shell-quote.js';
import { DEFAULT_SERVER } from './command.js';

/** Whom a command talks to, and as whom, where that is known. */
export interface Whereabouts {
  server?: string | undefined;
  owner?: string | null | undefined;
}

/**
 * A command of execgo for a person to type as it stands: where its environment names neither the daemon nor the owner, they
 * are written out.
 * @param name of the command. @param rest its other arguments, quoted where they must be
 */
export function typedCommand(
  name: string,
  rest: readonly string[],
  { server, owner }: Whereabouts,
  env: NodeJS.ProcessEnv = process.env,
): string {
  const flags = [
    ...(server === undefined || isSame(server, env['EXECGO_RUNTIME_URL']) ? [] : ['--server', server]),
    ...((owner ?? '') === '' || owner === env['EXECGO_RUNTIME_OWNER'] ? [] : ['--owner', owner ?? '']),
  ];
  return ['execgo', name, ...[...flags, ...rest].map(shellWord)].join(' ');
}

/** True where a command that names no daemon asks the one at `server`. */
function isSame(server: string, given = ''): boolean {
  const bare = (url: string) => url.replace(/\/+$/, '');
  return bare(server) === bare(given === '' ? DEFAULT_SERVER : given) || server === '';
}
