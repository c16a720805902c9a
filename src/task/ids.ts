const TASK_ID = /^[A-Za-z0-9._-]{1,128}$/;
/** The longest file name, in bytes. */
const NAME_MAX_BYTES = 255;

/**
 * True for 1 to 128 letters, digits, `-`, `_`, `.`, but not `.` and `..`, which are directories: the ids that a new task may
 * have.
 */
export function isTaskId(id: string): boolean {
  return TASK_ID.test(id) && canNameDirectory(id);
}

/**
 * True if a directory can have this name. The older runtime accepted longer ids, and blanks at their ends, and made
 * directories for them. False for an id that is no single file name (`..`, `a/b`): a task with such an id has no files.
 */
export function canNameDirectory(id: string): boolean {
  if (TASK_ID.test(id)) return id !== '.' && id !== '..';
  const bytes = Buffer.from(id);
  const isName = id !== '' && !/[/\0]/.test(id);
  // Half of a surrogate pair cannot be encoded: the directory would have another name than the id.
  return isName && bytes.length <= NAME_MAX_BYTES && bytes.toString() === id;
}

/** How many names a path in a workspace may have: each directory on the way is opened by itself. */
export const PATH_NAMES_MAX = 128;
