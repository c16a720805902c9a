import { Option } from 'commander';
import type { ExecgoClient, HeadTailView, OutputStream } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { addGroupOptions, groupInstead, type GroupOptions } from '../group-options.js';
import { noteOmitted, streamOutput } from '../stream-output.js';
import { findTail } from '../tail-offset.js';
import { plain } from '../terminal.js';
import { parseCount } from '../units.js';
import { UsageError } from '../usage-error.js';
import { write } from '../write.js';

/** Tasks per request. */
const PAGE = 200;
/** Bytes per request. */
const RANGE_BYTES = 1_048_576;

interface Options extends GroupOptions {
  server: string;
  follow?: boolean;
  stream: OutputStream | 'both';
  attempt?: number;
  tail?: number;
  headTail?: boolean;
}

/** `execgo logs`: writes a task's output byte for byte, its standard output to ours and its standard error to ours. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = addGroupOptions(
    clientCommand('logs', "Shows a task's output: exact bytes, each stream to its own.", [
      'execgo logs my-task',
      'execgo logs -f --tail 20 my-task',
      'execgo logs --stream stderr my-task | less',
      'execgo logs --head-tail my-task',
      'execgo logs --attempt 1 my-task',
      'execgo logs --group nightly --tail 5',
    ]).argument('[id]', 'the task'),
  )
    .option('-f, --follow', 'go on as output comes, until the task has ended')
    .addOption(new Option('--stream <stream>', 'which').choices(['stdout', 'stderr', 'both']).default('both'))
    .option('--attempt <n>', 'of which attempt, from 1; the last one without it', parseCount)
    .option('--tail <lines>', 'begin so many lines before the end', parseCount)
    .option('--head-tail', 'only the first and the last of it');
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<Options>();
  if (options.headTail === true && (options.follow === true || options.tail !== undefined))
    throw new UsageError('--head-tail goes with neither -f nor --tail');
  const group = groupInstead(options, command.args);
  if (group !== undefined && options.follow === true)
    throw new UsageError('-f follows one task, not --group');
  const client = connect(options);
  if (group === undefined) await show(client, command.args[0] ?? '', options);
  else await showGroup(client, group, options);
  return EXIT.ok;
}

/** The output of each task of a group under its name, in the order in which they were submitted. */
async function showGroup(client: ExecgoClient, group: string, options: Options): Promise<void> {
  const { tenant } = options;
  await client.group(group, { tenant });
  let gap = '';
  // No tenant is none in particular for a list.
  for await (const task of client.listAll({ group, tenant, order: 'oldest', limit: PAGE })) {
    if (task.tenant !== tenant) continue;
    await write(process.stdout, `${gap}==> ${plain(task.task_id)} <==\n`);
    await show(client, task.task_id, options);
    gap = '\n';
  }
}

/** A stream of one attempt. */
interface Source {
  stream: OutputStream;
  attempt: number | undefined;
}

async function show(client: ExecgoClient, taskId: string, options: Options): Promise<void> {
  const { stream, attempt, tail } = options;
  const streams: OutputStream[] = stream === 'both' ? ['stdout', 'stderr'] : [stream];
  if (options.headTail === true) {
    for (const name of streams)
      await showHeadTail(await client.outputView(taskId, { stream: name, attempt }));
  } else if (options.follow !== true) {
    for (const name of streams)
      await showRange(
        client,
        taskId,
        { stream: name, attempt },
        await startOf(client, taskId, { stream: name, attempt }, tail),
      );
  } else if (tail === undefined) {
    // Following waits for a daemon that restarts, so first report an unknown task, or a daemon that is not there at all.
    await client.status(taskId);
    await streamOutput(client, taskId, { stream, attempt });
  } else {
    // Each stream starts at an offset of its own.
    const offsets = await Promise.all(
      streams.map((name) => startOf(client, taskId, { stream: name, attempt }, tail)),
    );
    await Promise.all(
      streams.map((name, i) => streamOutput(client, taskId, { stream: name, attempt, offset: offsets[i] })),
    );
  }
}

function startOf(
  client: ExecgoClient,
  taskId: string,
  of: Source,
  tail: number | undefined,
): Promise<number> {
  if (tail === undefined) return Promise.resolve(0);
  return findTail((offset, limit) => client.output(taskId, { ...of, offset, limit }), tail);
}

async function showRange(client: ExecgoClient, taskId: string, of: Source, start: number): Promise<void> {
  const { stream } = of;
  let offset = start;
  for (;;) {
    const range = await client.output(taskId, { ...of, offset, limit: RANGE_BYTES });
    if (range.offset > offset) await noteOmitted(stream, range.offset - offset);
    if (range.data.length > 0) await write(target(stream), range.data);
    if (range.eof || range.next_offset <= offset) return;
    offset = range.next_offset;
  }
}

async function showHeadTail(view: HeadTailView): Promise<void> {
  const lines = view.omitted_lines === undefined ? '' : ` in ${String(view.omitted_lines)} lines`;
  const gap =
    view.omitted_bytes === 0 ? '' : `\n[… ${String(view.omitted_bytes)} bytes${lines} left out …]\n`;
  await write(target(view.stream), `${view.head}${gap}${view.tail}`);
}

function target(stream: OutputStream): NodeJS.WriteStream {
  return stream === 'stdout' ? process.stdout : process.stderr;
}
