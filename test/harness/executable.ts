import type { SpawnOptions } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The built command line, run with the Node that runs the tests. */
export const EXECUTABLE = fileURLToPath(new URL('../../dist/bin/execgo.js', import.meta.url));

/**
 * The command line of execgo with these arguments.
 * @param program to be run in the place of {@link EXECUTABLE}; unless given, what EXECGO_TEST_EXECUTABLE names, if anything
 */
export function execgoCommand(
  args: readonly string[],
  program = process.env['EXECGO_TEST_EXECUTABLE'],
): [file: string, args: string[]] {
  return program ? [program, [...args]] : [process.execPath, [EXECUTABLE, ...args]];
}

/** How the shell of a task runs execgo: the program that EXECGO_TEST_EXECUTABLE names has it on the PATH of its tasks. */
export const EXECGO_IN_TASK = process.env['EXECGO_TEST_EXECUTABLE']
  ? 'execgo'
  : `${process.execPath} ${EXECUTABLE}`;

/** False where the suites run against a program that has a root without Node: its tasks cannot use it either. */
export const TASKS_HAVE_NODE = !process.env['EXECGO_TEST_EXECUTABLE'];

/** Name of the variable that tells a program that only root can start (`test/binary/root.ts`) which user to become. */
export const USER_VARIABLE = 'EXECGO_TEST_USER';

/** What makes a spawn of {@link execgoCommand} run as this user and group. */
export function asUser(uid: number): Pick<SpawnOptions, 'uid' | 'gid' | 'cwd' | 'env'> {
  return process.env['EXECGO_TEST_EXECUTABLE']
    ? { cwd: '/', env: { [USER_VARIABLE]: String(uid) } }
    : { uid, gid: uid, cwd: '/' };
}
