import { readFileSync } from 'node:fs';
import { errnoOf, messageOf, systemWords } from '../files/errno.js';
import { UsageError } from './usage-error.js';

const STDIN = 0;

/**
 * The text of a file, or of standard input for `-`.
 * @throws UsageError when it cannot be read
 */
export function readInput(file: string): string {
  try {
    return readFileSync(file === '-' ? STDIN : file, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${file === '-' ? 'standard input' : file}: ${why(error)}`);
  }
}

function why(error: unknown): string {
  switch (errnoOf(error)) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EISDIR':
      return 'it is a directory; name a file';
    default:
      return systemWords(error);
  }
}

/**
 * The JSON object that is given with `--json`, or in the file of `--file`. The daemon checks its content.
 * @throws UsageError when both are given, when it cannot be read, and when it is not an object
 */
export function readWhole({ json, file }: { json?: string; file?: string }): object {
  if (json !== undefined && file !== undefined) throw new UsageError('give --json or --file, not both');
  if (json !== undefined) return parseObject(json, '--json');
  const name = file ?? '-';
  return parseObject(readInput(name), name === '-' ? 'standard input' : name);
}

function parseObject(text: string, from: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${from} is not JSON: ${messageOf(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError(`${from} must be a JSON object`);
  return value;
}
