import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.js';
import { execgo } from '../harness/index.js';
import { MAN_PAGE, manPage } from './man-page.js';

test('the man page is what the commands and the settings say; "npm run docs" writes it', async () => {
  expect(readFileSync(MAN_PAGE, 'utf8')).toBe(await manPage());
});

/** As a reader sees it, in wide lines and without bold and underlined words. */
function shown(): string {
  const args = ['-man', '-Tutf8', '-ww', '-rLL=1000n', '-P-c', '-P-b', '-P-o', '-P-u', MAN_PAGE];
  const { stdout, stderr, error } = spawnSync('groff', args, { encoding: 'utf8' });
  expect(error).toBeUndefined();
  expect(stderr).toBe('');
  return stdout;
}

test('it is shown without a warning, with every command and every flag of its help', async () => {
  const page = shown();
  for (const name of Object.keys(COMMANDS)) {
    const [, section = ''] = page.split(new RegExp(`^ {3}${name}$`, 'm'));
    const [own = ''] = section.split(/^ {0,3}\w/m);
    const { stdout } = await execgo([...name.split(' '), '--help']);
    const listed = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag = '']) => flag);
    expect(listed.length).toBeGreaterThan(0);
    const found = new Set(own.match(/--[a-z][a-z-]*/g));
    expect([name, listed.filter((flag) => !found.has(flag))]).toEqual([name, []]);
  }
});

test('quotes, dashes and backslashes are shown as they are typed', () => {
  const page = shown();
  expect(page).toContain('--json \'{"execution":{"kind":"command","program":"date"}}\'');
  expect(page).toContain('execgo list --all | head');
});
