const TASK_ID = /^[A-Za-z0-9._-]{1,128}$/;

/** True for 1 to 128 letters, digits, `-`, `_`, `.`; never `.` or `..`, which are directories. */
export function isTaskId(id: string): boolean {
  return TASK_ID.test(id) && id !== '.' && id !== '..';
}
