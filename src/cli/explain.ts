import { ExecgoApiError } from '../client/index.js';
import { plain } from './terminal.js';
import { typedCommand } from './typed-command.js';

/** What a person can do about an error, by its code, when the message does not say it. */
const HINTS: Readonly<Record<string, string>> = {
  insufficient_resources: 'ask for less, or start the daemon with more capacity',
  resource_limit_exceeded:
    'try again when tasks have ended, or start the daemon with a larger --max-queued-tasks',
  conflict: 'use another id or key, or none',
  concurrency_conflict: 'try again when one of them has ended, or let it wait with --on-conflict wait',
  insufficient_storage: "make room on the daemon's disk",
};

/** Bounds of what is said to one task, and of what it says. */
const OF_ONE_TASK: readonly unknown[] = [
  ...['commands', 'open_commands', 'task_events', 'task_event_bytes', 'task_event_rate', 'task_requests'],
];

/**
 * @param ownHints better hints of the command that failed; undefined where there is none
 * @returns one line about an error: what happened, and what to do about it when that is known
 */
export function explain(error: unknown, ownHints: Readonly<Record<string, string | undefined>> = {}): string {
  if (!(error instanceof Error)) return plain(String(error));
  const hint = error instanceof ExecgoApiError ? hintFor(error, ownHints) : undefined;
  return plain(hint === undefined ? error.message : `${error.message} (${hint})`);
}

function hintFor(
  { code, details, server }: ExecgoApiError,
  ownHints: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const about = new Map<string, unknown>(Object.entries(details ?? {}));
  // A change came too late: the message says all.
  if (about.has('status') || about.has('parent_task_id')) return undefined;
  if (code === 'not_found' && about.has('schedule'))
    return `${typedCommand('schedule list', [], { server })} shows the schedules there are`;
  if (about.has('schedule'))
    return `use another name, or change it: see ${typedCommand('schedule set', ['--help'], {})}`;
  if (code === 'not_found' && about.has('group'))
    return `${typedCommand('group list', [], { server })} shows the groups there are; --tenant those of a tenant`;
  if (about.get('bound') === 'readers') return 'mark it as one of those readers';
  // Of a file, or of what a group is told: the message says all.
  if (code === 'conflict' && about.has('path')) return undefined;
  if (code === 'permission_denied' && about.has('field')) return "give that owner's task with --owner";
  if (about.has('max_failures'))
    return `${typedCommand('retry', ['--failed', '--group', String(about.get('group'))], { server })} lets it go on, or a larger --max-failures`;
  if (code === 'not_found') {
    if (about.has('seq')) return 'execgo commands shows which there are';
    if (about.has('path')) return 'execgo files shows what there is';
    if (about.has('session_id'))
      return `${typedCommand('session list', [], { server })} shows the sessions there are`;
    return about.has('queue')
      ? `${typedCommand('queue list', [], { server })} shows the queues there are`
      : `${typedCommand('list', [], { server })} shows the tasks there are`;
  }
  // Of one task: the message says all.
  if (OF_ONE_TASK.includes(about.get('bound'))) return undefined;
  if (about.get('bound') === 'max_waiting')
    return `try again when some have started, or see ${typedCommand('queue set', ['--help'], {})}`;
  if (about.get('bound') === 'max_queued_per_tenant')
    return 'try again when some have started, or start the daemon with a larger --max-queued-per-tenant';
  if (code === 'permission_denied' && about.has('session_id'))
    return "give the session's owner with --owner or EXECGO_RUNTIME_OWNER";
  if (about.get('bound') === 'max_sessions')
    return `see ${typedCommand('session list', [], { server })}, or start the daemon with a larger --max-sessions`;
  if (about.has('version')) return 'try again';
  return code in ownHints ? ownHints[code] : HINTS[code];
}
