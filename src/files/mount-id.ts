import fs from 'node:fs';

/** Bytes to read of `/proc/<pid>/fdinfo/<n>`: its first four lines are short, and only they are needed. */
const HEAD_BYTES = 128;

const head = Buffer.alloc(HEAD_BYTES);

/**
 * The id of the mount through which an open file was reached. A directory that is mounted twice has two ids, and nothing
 * else tells the two apart. Asks the kernel and not the file, so a file system that does not answer holds nobody up. Linux
 * only.
 * @returns undefined when /proc does not tell, as in some sandboxes that imitate /proc
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
