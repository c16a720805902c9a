import { shellQuote } from '../../files/shell-quote.js';
import { SHELL } from '../process/tools.js';

/**
 * The command that runs a script without an interpreter, as `sh -c <text>` would, but without the text on a command line,
 * where everybody could read it. `$0` is the shell, there are no arguments, and a failure in the script is the shell's.
 * @param path absolute; the file that holds the text
 */
export function scriptFromFile(path: string): [string, ...string[]] {
  return [SHELL, '-c', `. ${shellQuote(path)}`];
}

/**
 * The same when the shell cannot reach the file, because it is in another root: the text is passed in a variable, which has
 * at most 128 KiB and is removed when the script begins.
 * @param env the task's own variables
 */
export function scriptFromVariable(
  text: string,
  env: Readonly<Record<string, string>>,
): { argv: [string, ...string[]]; env: Record<string, string> } {
  let name = 'EXECGO_SCRIPT';
  while (Object.hasOwn(env, name)) name += '_';
  return {
    argv: [SHELL, '-c', `set -- "$${name}"; unset ${name}; eval "set --; $1"`],
    env: { ...env, [name]: text },
  };
}
