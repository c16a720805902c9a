import { shellQuote } from '../../files/shell-quote.js';
import { SHELL } from '../process/tools.js';

/**
 * How a script without an interpreter is run: as `sh -c <text>` would, but for the text, which stands on no command line where
 * everybody could read it. `$0` is the shell's, there are no arguments, and what fails in it fails the shell.
 * @param path absolute; the file that holds the text
 */
export function scriptFromFile(path: string): [string, ...string[]] {
  return [SHELL, '-c', `. ${shellQuote(path)}`];
}

/**
 * The same where the file is out of reach, in another root: the text comes in a variable, which takes 128 KiB at most and is gone
 * when the script begins.
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
