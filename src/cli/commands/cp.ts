import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ExecgoClient } from '../../client/index.js';
import { systemWords } from '../../files/errno.js';
import { clientCommand, connect, parse } from '../command.js';
import { ownerOption } from '../each-task.js';
import { EXIT } from '../exit-codes.js';
import { inSessionFlags, tenantOption } from '../session-options.js';
import { UsageError } from '../usage-error.js';
import { taskOption, workspacePath, type WorkspaceOptions, type WorkspacePath } from '../workspace-path.js';

interface Options extends WorkspaceOptions {
  server: string;
  owner?: string;
}

/** `execgo cp`: copies a file into the workspace of a session or task, or out of it. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'cp',
    'Copies a file into the workspace of a session, or out of it. A file that is there is replaced; - is standard input or output.',
    [
      'execgo cp here.txt my-session:dir/there.txt',
      'execgo cp my-session:result.csv .',
      'execgo cp --task my-task:core -',
    ],
  )
    .argument('<from>', 'a file here, or SESSION:PATH')
    .argument('<to>', 'SESSION:PATH, or a file or directory here')
    .addOption(taskOption())
    .addOption(tenantOption())
    .addOption(ownerOption());
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<Options>();
  const [from = '', to = ''] = command.args;
  const [source, target] = [workspacePath(from, options), workspacePath(to, options)];
  const client = connect(options);
  if (source === undefined && target !== undefined) await copyIn(client, from, target, options);
  else if (source !== undefined && target === undefined) await copyOut(client, source, to, options);
  else
    throw new UsageError(
      'give one file here and one as SESSION:PATH; a file here with a colon in its name is written ./like:this',
    );
  return EXIT.ok;
}

async function copyIn(
  client: ExecgoClient,
  from: string,
  { of, path }: WorkspacePath,
  { tenant, owner }: Options,
): Promise<void> {
  const isDirectory = path === '' || path.endsWith('/');
  if (isDirectory && from === '-') throw new UsageError('say which file standard input becomes');
  const name = isDirectory ? `${path}${basename(from)}` : path;
  const { content, mode } = opened(from);
  try {
    await inSessionFlags(() =>
      client.files.write(of, name, content, { tenant, mode, owner: owner === '' ? undefined : owner }),
    );
  } finally {
    content.destroy();
  }
}

/** @throws UsageError when it cannot be read */
function opened(file: string): { content: Readable; mode?: number } {
  if (file === '-') return { content: process.stdin };
  try {
    const fd = fs.openSync(file, 'r');
    const stat = fs.fstatSync(fd);
    if (!stat.isDirectory()) return { content: fs.createReadStream('', { fd }), mode: stat.mode & 0o777 };
    fs.closeSync(fd);
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${systemWords(error)}`);
  }
  throw new UsageError(`${file} is a directory: only files are copied, such as an archive made by tar`);
}

async function copyOut(
  client: ExecgoClient,
  { of, path }: WorkspacePath,
  to: string,
  { tenant }: Options,
): Promise<void> {
  if (path === '' || path.endsWith('/')) throw new UsageError('say which file to copy: SESSION:PATH');
  const content = await inSessionFlags(() => client.files.read(of, path, { tenant }));
  if (to === '-') {
    await pipeline(content, process.stdout as Writable, { end: false });
    return;
  }
  const isDirectory = fs.statSync(to, { throwIfNoEntry: false })?.isDirectory() === true;
  const file = isDirectory ? join(to, basename(path)) : to;
  // Whole or not there at all.
  const unfinished = join(dirname(file), `.${basename(file)}.${randomUUID()}.tmp`);
  try {
    await pipeline(content, fs.createWriteStream(unfinished, { flags: 'wx' }));
    fs.renameSync(unfinished, file);
  } catch (error) {
    fs.rmSync(unfinished, { force: true });
    throw new Error(`${file} cannot be written: ${systemWords(error)}`, { cause: error });
  }
}
