import { expect, test } from 'vitest';
import { findUser, userEnvironment } from '../../src/sandbox/process/user.js';

const PASSWD = [
  'root:x:0:0:root:/root:/bin/bash',
  '# comment',
  'broken:x:no:1::/:',
  'build:x:1000:1001::/home/build:/bin/sh',
  'homeless:x:1002:1002',
  '',
].join('\n');

test('users are found by name and by number', () => {
  const build = { name: 'build', uid: 1000, gid: 1001, home: '/home/build' };
  expect(findUser('build', PASSWD)).toEqual(build);
  expect(findUser('1000', PASSWD)).toEqual(build);
  expect(findUser('homeless', PASSWD)?.home).toBe('/');
  expect(findUser('4711', PASSWD)).toEqual({ name: '4711', uid: 4711, gid: 4711, home: '/' });
  expect(findUser('root')?.uid).toBe(0);
});

test.each(['nobody-here', 'broken', '', '-1', '1.5', '0x10', '4294967295', '99999999999', 'build:x'])(
  '%j is no user',
  (user) => {
    expect(findUser(user, PASSWD)).toBeUndefined();
  },
);

test('HOME and USER are the user’s unless the request names them', () => {
  const user = { name: 'build', uid: 1000, gid: 1001, home: '/home/build' };
  const environment = { HOME: '/mine', USER: 'root', PATH: '/bin' };
  expect(userEnvironment(environment, { HOME: '/mine' }, user)).toEqual({
    HOME: '/mine',
    USER: 'build',
    PATH: '/bin',
  });
});
