import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { asUser, execgoCommand } from '../harness/executable.js';
import { execgo, startDaemon, tempDir } from '../harness/index.js';

const OTHER = 12_345;

/** Runs a command as a user who is neither root nor the owner. */
function asOther(...args: string[]) {
  const result = spawnSync(...execgoCommand(args), { ...asUser(OTHER), encoding: 'utf8' });
  return { code: result.status, text: result.stdout + result.stderr };
}

test.runIf(process.geteuid?.() === 0)(
  'a data directory of root is told as that to anybody else',
  async () => {
    const daemon = await startDaemon();
    await daemon.stop();
    for (const args of [['doctor'], ['gc'], ['gc', '--dry-run'], ['backup', '/tmp/never.db']]) {
      const { code, text } = asOther(...args, '--data-dir', daemon.dataDir);
      expect([code, text], args.join(' ')).toEqual([
        1,
        expect.stringMatching(/may not be read by user 12345:?\s+run it as user root/),
      ]);
      expect(text).not.toMatch(/exist|restore|chmod/);
    }
  },
);

test.runIf(process.geteuid?.() === 0)('whose it is is told once, and no backup is advised', async () => {
  const daemon = await startDaemon();
  await daemon.stop();
  for (const name of ['', ...fs.readdirSync(daemon.dataDir)])
    fs.lchownSync(join(daemon.dataDir, name), OTHER, OTHER);
  const { code, stdout } = await execgo(['doctor', '--data-dir', daemon.dataDir]);
  expect(code).toBe(1);
  expect(stdout.match(/belongs to user 12345/g)).toHaveLength(1);
  expect(stdout).not.toMatch(/restore a backup/);
});

test('a directory that is none of a daemon is told as that', async () => {
  const dir = tempDir();
  fs.writeFileSync(join(dir, 'file'), '');
  for (const args of [['gc'], ['backup', join(dir, 'copy')]]) {
    const { code, stderr } = await execgo([...args, '--data-dir', dir]);
    expect([code, stderr]).toEqual([1, expect.stringContaining(`${dir} is not a data directory`)]);
  }
  const file = await execgo(['doctor', '--data-dir', join(dir, 'file')]);
  expect([file.code, file.stdout]).toEqual([1, expect.stringContaining('file is not a directory')]);
});
