import { closeSync, readSync } from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../files/errno.js';
import { NotAFileError } from '../files/kind.js';
import { openFile } from '../files/open-file.js';

/** A secret cannot be used; the message says why, and nothing of the secret. */
export class SecretError extends Error {
  override readonly name = 'SecretError';
}

/** A few secrets on lines of their own. */
const FILE_BYTES = 4096;
/** As Standard Webhooks asks. */
const PREFIX = 'whsec_';
const KEY_BYTES = { min: 24, max: 64 };

/**
 * The secrets that messages are signed with: a file for each in a directory of the operator, which is read anew each time, so that
 * one can be replaced while the daemon runs. Links are followed, as where secrets are mounted.
 */
export class Secrets {
  /** @param dir absolute; undefined: there are none */
  constructor(private readonly dir: string | undefined) {}

  /**
   * The keys of a secret: one, or while receivers change to another, several.
   * @param name as checked by the schema: a single file name
   * @throws SecretError
   */
  keys(name: string): Buffer[] {
    if (this.dir === undefined)
      throw new SecretError(
        `the daemon has no secret ${JSON.stringify(name)}: its operator has named no directory of secrets with --webhook-secrets`,
      );
    const lines = this.#read(this.dir, name)
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
    const keys = lines.map(keyOf);
    if (keys.length === 0 || keys.includes(undefined))
      throw new SecretError(
        `secret ${JSON.stringify(name)} is not as it must be: each line of its file is whsec_ and the base64 of ${KEY_BYTES.min} to ${KEY_BYTES.max} bytes`,
      );
    return keys.filter((key) => key !== undefined);
  }

  #read(dir: string, name: string): string {
    try {
      const { fd } = openFile(path.join(dir, name));
      try {
        const bytes = Buffer.alloc(FILE_BYTES + 1);
        const length = readSync(fd, bytes, 0, bytes.length, 0);
        return length > FILE_BYTES ? '' : bytes.toString('utf8', 0, length);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      const why =
        errnoOf(error) === 'ENOENT'
          ? 'there is no such file in the directory of secrets'
          : error instanceof NotAFileError
            ? 'it is not a regular file'
            : `its file cannot be read (${errnoOf(error) ?? 'error'})`;
      throw new SecretError(`the daemon has no secret ${JSON.stringify(name)}: ${why}`);
    }
  }
}

function keyOf(line: string): Buffer | undefined {
  if (!line.startsWith(PREFIX)) return undefined;
  const text = line.slice(PREFIX.length);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  const key = Buffer.from(text, 'base64');
  return key.length >= KEY_BYTES.min && key.length <= KEY_BYTES.max ? key : undefined;
}
