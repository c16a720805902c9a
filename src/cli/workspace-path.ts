import { Option } from 'commander';
import type { WorkspaceOf } from '../client/index.js';
import { UsageError } from './usage-error.js';

/** A path in a workspace, as it is typed: `SESSION:path`. */
export interface WorkspacePath {
  of: WorkspaceOf;
  /** Empty for the workspace itself. */
  path: string;
}

export interface WorkspaceOptions {
  task?: boolean;
  tenant?: string;
}

/** What stands before the colon is a task. */
export function taskOption(): Option {
  return new Option('--task', 'what stands before the colon is a task, not a session');
}

/** Undefined for a path of this machine: one without a colon, or with a slash before it. */
export function workspacePath(text: string, { task }: WorkspaceOptions): WorkspacePath | undefined {
  const at = text.indexOf(':');
  if (at < 1 || text.slice(0, at).includes('/')) return undefined;
  return { of: ownerOf(text.slice(0, at), task), path: pathIn(text.slice(at + 1)) };
}

/** As {@link workspacePath}, where the colon may be missing. */
export function workspaceOrPath(text: string, options: WorkspaceOptions): WorkspacePath {
  return workspacePath(text, options) ?? { of: ownerOf(text, options.task), path: '' };
}

function ownerOf(id: string, task = false): WorkspaceOf {
  return task ? { task: id } : { session: id };
}

/** @throws UsageError for a path that leads nowhere in a workspace */
function pathIn(text: string): string {
  if (text.startsWith('/')) throw new UsageError(`"${text}": a path in a workspace begins with no slash`);
  return text.replace(/^(\.\/)+|^\.$/, '');
}
