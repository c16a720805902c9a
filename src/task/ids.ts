const TASK_ID = /^[A-Za-z0-9._-]{1,128}$/;
/** What file systems take for one name, in bytes. */
const NAME_MAX_BYTES = 255;

/** True for 1 to 128 letters, digits, `-`, `_`, `.`; never `.` or `..`, which are directories. What a new task may be called. */
export function isTaskId(id: string): boolean {
  return TASK_ID.test(id) && canNameDirectory(id);
}

/**
 * True for what can be the name of one directory: the older runtime took longer ids and blanks at their ends, and gave
 * them directories. False for what would be no name or another place (`..`, `a/b`): a task of that id has no files.
 */
export function canNameDirectory(id: string): boolean {
  if (TASK_ID.test(id)) return id !== '.' && id !== '..';
  const bytes = Buffer.from(id);
  const isName = id !== '' && !/[/\0]/.test(id);
  // What is no text, half of a surrogate pair, would name another directory than it says.
  return isName && bytes.length <= NAME_MAX_BYTES && bytes.toString() === id;
}
