/** The code of a system error, such as `ENOENT`; undefined for any other error. */
export function errnoOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}

/** True when `error` is a system error with one of these codes. */
export function isErrno(error: unknown, ...codes: string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && codes.includes(errnoOf(error) ?? '');
}

/** What an error of the system says, without its code, the call and the path that Node puts around it. */
export function systemWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error.message;
  const words = error.message.startsWith(`${code}: `) ? error.message.slice(code.length + 2) : error.message;
  const end = words.indexOf(`, ${syscall}`);
  return end === -1 ? words : words.slice(0, end);
}

/** True for a disk, or the share of it that a user or project may have, with no room left. */
export function isDiskFull(error: unknown): boolean {
  return isErrno(error, 'ENOSPC', 'EDQUOT');
}
