import { readFileSync } from 'node:fs';
import { errnoOf, messageOf, systemWords } from '../files/errno.js';
import type { TaskSubmission } from '../client/index.js';
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
 * Parses the text of a request. The daemon checks its content.
 * @throws UsageError when it is not a JSON object
 */
export function parseRequest(text: string, from: string): TaskSubmission {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${from} is not JSON: ${messageOf(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError(`${from} must be a JSON object`);
  return value as TaskSubmission;
}
