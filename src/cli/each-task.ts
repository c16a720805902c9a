import { Option } from 'commander';
import type { ExecgoClient, TaskView } from '../client/index.js';
import { summaryLine } from './card.js';
import { clientCommand, connect, parse } from './command.js';
import { EXIT } from './exit-codes.js';
import { explain } from './explain.js';
import { isTerminal, plain } from './terminal.js';
import { note, printJson, printLines } from './write.js';

const HINTS = {
  permission_denied: "give the task's owner with --owner or EXECGO_RUNTIME_OWNER",
  // The message says which state the task is in, and which one is needed.
  conflict: undefined,
};

/** The option of commands that change a task. */
export function ownerOption(): Option {
  return new Option('--owner <name>', "the tasks' owner, where they have one").env('EXECGO_RUNTIME_OWNER');
}

/** A command that asks one thing with each task. @returns its exit code */
export async function turnTasks(
  argv: readonly string[],
  what: 'pause' | 'resume' | 'release',
  summary: string,
  examples: string[],
): Promise<number> {
  const command = clientCommand(what, summary, examples)
    .argument('<id...>', 'the tasks')
    .addOption(ownerOption())
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const { server, owner, json } = command.opts<{ server: string; owner?: string; json?: boolean }>();
  const client: ExecgoClient = connect({ server });
  const turn = (id: string) => client[what](id, { owner: owner === '' ? undefined : owner });
  return eachTask(command.args, json === true, turn);
}

/** Prints one status as an object, several as an array of them; on a terminal, one line each. */
export async function printStatuses(views: readonly TaskView[], json: boolean): Promise<void> {
  if (!json && isTerminal()) await printLines(views.map(summaryLine));
  else await printJson(views.length === 1 ? views[0] : views);
}

/**
 * Asks for something with each task, prints the statuses that came of it and says what was refused.
 * @param inOwnWords puts a refusal into the words of the command
 * @returns the exit code: {@link EXIT.failed} when anything was refused
 */
export async function eachTask(
  ids: readonly string[],
  asJson: boolean,
  ask: (id: string) => Promise<TaskView>,
  inOwnWords: (error: unknown) => Promise<unknown> = (error) => Promise.resolve(error),
): Promise<number> {
  const results = await Promise.allSettled(ids.map(ask));
  const views = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  if (views.length > 0) await printStatuses(views, asJson);
  let failed = false;
  for (const [i, result] of results.entries()) {
    if (result.status === 'fulfilled') continue;
    failed = true;
    const why = explain(await inOwnWords(result.reason), HINTS);
    const id = ids[i] ?? '';
    await note(results.length === 1 || why.includes(plain(id)) ? why : `${id}: ${why}`);
  }
  return failed ? EXIT.failed : EXIT.ok;
}
