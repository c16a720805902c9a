import { describe, expect, test } from 'vitest';
import { startDirectory } from '../../src/cli/start-directory.js';

const here = () => '/home/me/project';
const at = (server: string, flags: object = {}) => startDirectory({ server, ...flags }, here);

const LOCAL = [
  '',
  'http://127.0.0.1:8080',
  'http://127.9.9.9:1/prefix/',
  'http://localhost:8080',
  'http://LOCALHOST.',
  'http://me.localhost:1',
  'http://[::1]:8080',
  'unix:/run/execgo.sock',
];
const ELSEWHERE = [
  'http://192.0.2.7:8080',
  'http://build.example',
  'http://[2001:db8::1]:1',
  'http://127.example',
];

describe('where a command starts', () => {
  test.each(LOCAL)('with the daemon at %j: here, and -C counts from here', (server) => {
    expect(at(server)).toBe('/home/me/project');
    expect(at(server, { cwd: 'sub' })).toBe('/home/me/project/sub');
    expect(at(server, { cwd: '../other/' })).toBe('/home/me/other');
    expect(at(server, { cwd: '/abs' })).toBe('/abs');
    expect(at(server, { workspace: true })).toBeUndefined();
    expect(at(server, { workspaceSubdir: 'x' })).toBeUndefined();
  });

  test.each(ELSEWHERE)(
    'with the daemon at %j: in its workspace, or in an absolute directory there',
    (server) => {
      expect(at(server)).toBeUndefined();
      expect(at(server, { cwd: '/abs' })).toBe('/abs');
      expect(() => at(server, { cwd: 'sub' })).toThrow('-C sub: the daemon is on another machine');
    },
  );

  test('flags that contradict each other, and what is no directory, are refused', () => {
    expect(() => at('', { cwd: '/x', workspace: true })).toThrow('give -C or --workspace, not both');
    expect(() => at('', { cwd: '/x', workspaceSubdir: 'y' })).toThrow(
      'give -C or --workspace-subdir, not both',
    );
    expect(() => at('', { cwd: '' })).toThrow('-C needs a directory');
    expect(() => at('nonsense')).toThrow('"nonsense" is not a server address');
  });

  test('a current directory that is gone is told, and not needed where a flag names another', () => {
    const gone = () => {
      throw new Error('gone');
    };
    expect(startDirectory({ server: '', cwd: '/abs' }, gone)).toBe('/abs');
    expect(startDirectory({ server: '', workspace: true }, gone)).toBeUndefined();
  });
});
