import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkedRootfs, hasExecutable } from '../../src/sandbox/namespaces/rootfs.js';
import { findTool } from '../../src/sandbox/process/tools.js';
import { tempDir } from '../harness/temp-dir.js';

function tree(): { above: string; root: string } {
  const above = join(tempDir(), 'images');
  const root = join(above, 'one');
  mkdirSync(root, { recursive: true, mode: 0o755 });
  return { above, root };
}

test('a root file system is root’s alone, from / on', () => {
  const { above, root } = tree();
  expect(checkedRootfs(`${root}/./`, [above])).toBe(root);
  const refused = (why: RegExp, path = root) => expect(() => checkedRootfs(path, [above])).toThrow(why);
  for (const at of [root, above]) {
    for (const mode of [0o775, 0o757]) {
      chmodSync(at, mode);
      refused(/can be written to by others; it and all directories above must belong to root/);
    }
    chmodSync(at, 0o755);
    chownSync(at, 65_534, 0);
    refused(/does not belong to root/);
    chownSync(at, 0, 0);
  }
  // Nobody else can replace what is root's in a sticky directory.
  chmodSync(above, 0o1777);
  expect(checkedRootfs(root, [above])).toBe(root);
  chmodSync(root, 0o1777);
  refused(/can be written to by others/);
  chmodSync(root, 0o755);
  symlinkSync('one', join(above, 'link'));
  refused(/link is not a directory/, join(above, 'link'));
  mkdirSync(join(root, 'inner'));
  refused(/is a symbolic link/, join(above, 'link/inner'));
  refused(/is not a directory/, join(above, 'none'));
  expect(() => checkedRootfs(root, [])).toThrow(/not allowed.*--allow-rootfs/);
});

test('an executable is found as the new root will see it', () => {
  const { root } = tree();
  mkdirSync(join(root, 'usr/bin'), { recursive: true });
  writeFileSync(join(root, 'usr/bin/busybox'), '', { mode: 0o755 });
  symlinkSync('/usr/bin', join(root, 'bin'));
  symlinkSync('../../usr/./bin/busybox', join(root, 'usr/bin/sh'));
  symlinkSync('loop', join(root, 'usr/bin/loop'));
  // There on this host, and not in the new root.
  symlinkSync('/usr/bin/env', join(root, 'usr/bin/env'));
  symlinkSync('../../../../../../../usr/bin/busybox', join(root, 'usr/bin/up'));
  writeFileSync(join(root, 'usr/bin/plain'), '', { mode: 0o644 });
  const has = (path: string) => hasExecutable(root, path);
  expect(['/bin/sh', '/bin/busybox', '/usr/bin/up'].filter((path) => !has(path))).toEqual([]);
  const none = ['/bin/env', '/bin/loop', '/bin/plain', '/bin/none', '/bin', '/bin/sh/x', '/none/x', '/'];
  expect(none.filter(has)).toEqual([]);
});

test('a tool that others could replace is not root’s to run', () => {
  const dir = tempDir();
  writeFileSync(join(dir, 'execgo-test-tool'), '', { mode: 0o755 });
  writeFileSync(join(dir, 'setpriv'), '', { mode: 0o755 });
  expect(findTool('execgo-test-tool', dir)).toBe(join(dir, 'execgo-test-tool'));
  expect(findTool('setpriv', dir)).not.toBe(join(dir, 'setpriv'));
  chmodSync(dir, 0o777);
  expect(findTool('execgo-test-tool', dir)).toBeUndefined();
  chmodSync(dir, 0o755);
  symlinkSync(dir, join(dir, 'link'));
  expect(findTool('execgo-test-tool', join(dir, 'link'))).toBe(join(dir, 'execgo-test-tool'));
  chownSync(join(dir, 'execgo-test-tool'), 65_534, 0);
  expect(findTool('execgo-test-tool', dir)).toBeUndefined();
});
