/** The code of a system error, such as `ENOENT`; undefined for any other error. */
export function errnoOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}

/** What went wrong, in words; anything may have been thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** True when `error` is a system error with one of these codes. */
export function isErrno(error: unknown, ...codes: string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && codes.includes(errnoOf(error) ?? '');
}

/** The message of a system error without the code, system call and path that Node puts around it. */
export function systemWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error.message;
  const words = error.message.startsWith(`${code}: `) ? error.message.slice(code.length + 2) : error.message;
  const end = words.indexOf(`, ${syscall}`);
  return end === -1 ? words : words.slice(0, end);
}

/** True for an error that says that the disk, or the quota of a user or project on it, is full. */
export function isDiskFull(error: unknown): boolean {
  return isErrno(error, 'ENOSPC', 'EDQUOT');
}
