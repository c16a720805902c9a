import type { TaskRequest } from './request.js';

/** The session whose workspace a task shares; undefined for one with a workspace of its own. */
export function sessionOf({ in_session, control_context: context }: TaskRequest): string | undefined {
  return in_session === true ? context?.session_id : undefined;
}
