import { ExecgoApiError } from '../client/index.js';
import { plain } from './terminal.js';
import { typedCommand } from './typed-command.js';

/** What a person can do about a refusal, where the message alone does not say it. */
const HINTS: Readonly<Record<string, string>> = {
  insufficient_resources: 'ask for less, or start the daemon with more capacity',
  resource_limit_exceeded:
    'try again when tasks have ended, or start the daemon with a larger --max-queued-tasks',
  conflict: 'use another id or key, or none',
  insufficient_storage: "make room on the daemon's disk",
};

/**
 * @param ownHints what the command at hand knows better
 * @returns one line about an error: what happened, and what to do about it where that is known
 */
export function explain(error: unknown, ownHints: Readonly<Record<string, string>> = {}): string {
  if (!(error instanceof Error)) return plain(String(error));
  const hint = error instanceof ExecgoApiError ? hintFor(error, ownHints) : undefined;
  return plain(hint === undefined ? error.message : `${error.message} (${hint})`);
}

function hintFor(
  { code, details, server }: ExecgoApiError,
  ownHints: Readonly<Record<string, string>>,
): string | undefined {
  // A machine that is another one is told with its way out, and strictness has nothing to do with it.
  const isDemand = typeof details === 'object' && details !== null && 'demand' in details;
  if (isDemand) return undefined;
  if (code === 'not_found') return `${typedCommand('list', [], { server })} shows the tasks there are`;
  return ownHints[code] ?? HINTS[code];
}
