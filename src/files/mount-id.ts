import fs from 'node:fs';

/** `/proc/<pid>/fdinfo/<n>` begins with four short lines; no more than them is wanted. */
const HEAD_BYTES = 128;

const head = Buffer.alloc(HEAD_BYTES);

/**
 * The mount that an open file is reached through: each has a number of its own, also where a directory is mounted a second
 * time and nothing else tells the two apart. The file itself is asked nothing, so that one on a file system that does not
 * answer holds up nobody. Linux only.
 * @returns undefined where /proc does not tell, as some that are not the kernel's own do not
 * @throws a system error
 */
export function mountId(fd: number): number | undefined {
  const file = fs.openSync(`/proc/self/fdinfo/${fd}`, 'r');
  try {
    const text = head.toString('latin1', 0, fs.readSync(file, head, 0, HEAD_BYTES, 0));
    const id = /^mnt_id:\s*(\d+)$/m.exec(text)?.[1];
    return id === undefined ? undefined : Number(id);
  } finally {
    fs.closeSync(file);
  }
}
