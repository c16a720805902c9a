import { shellWord } from '../files/shell-quote.js';
import { DEFAULT_SERVER } from './command.js';

/** The daemon and the owner that a command used, if known. */
export interface Whereabouts {
  server?: string | undefined;
  owner?: string | null | undefined;
}

/**
 * A command of execgo that a person can type as it is: daemon and owner are written out unless the environment names them.
 * @param name of the command. @param rest its other arguments, which are quoted if necessary
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

/** True when a command that names no daemon would ask the one at `server`. */
function isSame(server: string, given = ''): boolean {
  const bare = (url: string) => url.replace(/\/+$/, '');
  return bare(server) === bare(given === '' ? DEFAULT_SERVER : given) || server === '';
}
