/** The number of clone(2): the rest of the machines that the tests run on use the table that came last. */
const CLONE = process.arch === 'x64' ? 56 : 220;
/** CLONE_PARENT and SIGCHLD. */
const FLAGS = 0x8000 | 17;

/** Python that defines `beside()`: a fork whose child is a child of its caller's parent. */
export const BESIDE = `import ctypes, os
def beside():
  return ctypes.CDLL(None).syscall(${CLONE}, ${FLAGS}, 0, 0, 0, 0)
`;

/** Perl, which starts sooner than Python, that does the same: true in the parent. */
export const PERL_BESIDE = `syscall(${CLONE}, ${FLAGS}, 0, 0, 0, 0)`;
