import { expect, test } from 'vitest';
import { inheritedEnvironment } from '../../src/daemon/inherited-environment.js';

const pathOf = (PATH: string, npm_package_json?: string) =>
  inheritedEnvironment({ PATH, ...(npm_package_json === undefined ? {} : { npm_package_json }) })['PATH'];

const BINS =
  '/home/me/pkg/node_modules/.bin:/home/me/node_modules/.bin:/home/node_modules/.bin:/node_modules/.bin';
const GYP = '/usr/lib/node_modules/npm/node_modules/@npmcli/run-script/lib/node-gyp-bin';
const MANIFEST = '/home/me/pkg/package.json';

test.each([
  [`${BINS}:${GYP}:/usr/bin:/bin`, '/usr/bin:/bin'],
  // What was there before npm came stays, also when it looks the same.
  [`${BINS}:${GYP}:/home/me/pkg/node_modules/.bin:/bin`, '/home/me/pkg/node_modules/.bin:/bin'],
  [`${BINS}:${GYP}:${GYP}:/bin`, `${GYP}:/bin`],
  [`${BINS}:/bin`, '/bin'],
  // What somebody else has put in front of it is not npm's.
  [`/other/node_modules/.bin:${BINS}:/bin`, `/other/node_modules/.bin:${BINS}:/bin`],
  [`${GYP}:/bin`, `${GYP}:/bin`],
  ['/usr/bin::/bin', '/usr/bin::/bin'],
])('under npm the PATH %s becomes %s', (given, left) => {
  expect(pathOf(given, MANIFEST)).toBe(left);
});

test('without npm the PATH stays, and nothing but the variables for tasks is passed on', () => {
  expect(pathOf(`${BINS}:${GYP}:/bin`)).toBe(`${BINS}:${GYP}:/bin`);
  expect(
    inheritedEnvironment({ HOME: '/h', LANG: 'C', TMPDIR: '/t', USER: 'u', SECRET: 's', LD_PRELOAD: 'x' }),
  ).toEqual({ HOME: '/h', LANG: 'C', TMPDIR: '/t', USER: 'u' });
});
