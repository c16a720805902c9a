/** Where things are below the address of a daemon. */

/** @throws TypeError for an empty id, which would name the list of all tasks. */
export function taskPath(taskId: string): string {
  if (taskId === '') throw new TypeError('a task id must not be empty');
  return `/api/v1/tasks/${encodeURIComponent(taskId)}`;
}

/** @throws TypeError for an empty name, which would name the list of all queues; URIError for half a surrogate pair */
export function queuePath(name: string): string {
  if (name === '') throw new TypeError('the name of a queue must not be empty');
  return `/api/v1/queues/${encodeURIComponent(name)}`;
}

/** @throws TypeError for an empty name, which would name the list of all groups; URIError for half a surrogate pair */
export function groupPath(name: string): string {
  if (name === '') throw new TypeError('the name of a group must not be empty');
  return `/api/v1/groups/${encodeURIComponent(name)}`;
}

/** @throws TypeError for an empty id, which would name the list of all sessions. */
export function sessionPath(sessionId: string): string {
  if (sessionId === '') throw new TypeError('a session id must not be empty');
  return `/api/v1/sessions/${encodeURIComponent(sessionId)}`;
}

/** @throws TypeError for an empty name, which would name the list of all schedules; URIError for half a surrogate pair */
export function schedulePath(name: string): string {
  if (name === '') throw new TypeError('the name of a schedule must not be empty');
  return `/api/v1/schedules/${encodeURIComponent(name)}`;
}

/** @throws TypeError for an empty id or path */
export function filePath(where: string, path: string): string {
  if (path === '') throw new TypeError('the path of a file must not be empty');
  return `${where}/files/${path.split('/').map(encodeURIComponent).join('%2F')}`;
}
