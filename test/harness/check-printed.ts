import type { AnswerName } from '../../src/task/answers.js';
import { problemOfValue } from './check-answer.js';

/**
 * Holds the JSON that a command line prints to what the API answers: it is the same.
 * @param args of execgo, the command first
 * @returns what is wrong with it; undefined where nothing is, or where this command prints no JSON of the API
 */
export async function complaintAboutPrinted(
  args: readonly string[],
  stdout: string,
): Promise<string | undefined> {
  const name = printedBy(args);
  if (name === undefined || stdout === '') return undefined;
  const problem = await problemIn(name, stdout).catch((error: unknown) => String(error));
  return problem && `execgo ${args.join(' ')} printed: ${problem}\n${stdout.slice(0, 2_000)}`;
}

async function problemIn(name: AnswerName, stdout: string): Promise<string | undefined> {
  for (const value of valuesIn(stdout)) {
    const problem = await problemOfValue(isRefusal(value) ? 'ErrorAnswer' : name, value);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** What its output consists of, or each line or item of it; without a terminal. */
function printedBy([command = '', ...args]: readonly string[]): AnswerName | undefined {
  const end = args.indexOf('--');
  const flags = end === -1 ? args : args.slice(0, end);
  const has = (...names: string[]) => names.some((name) => flags.includes(name));
  const given = (name: string) => flags.some((flag) => flag === name || flag.startsWith(`${name}=`));
  const form = flags[Math.max(flags.indexOf('-o'), flags.indexOf('--output')) + 1];
  const asJson = form === 'json' || (has('--json', '--file') && form !== 'stream');
  if (has('-h', '--help')) return undefined;
  switch (command) {
    case 'status':
      return 'TaskView';
    case 'wait':
      return has('--group') ? 'GroupView' : 'TaskView';
    case 'kill':
      return has('--group') ? 'GroupKillAnswer' : 'TaskView';
    case 'group':
      return flags[0] === 'show' ? 'GroupView' : 'GroupPage';
    case 'list':
      if (given('--changed-after')) return 'ChangesPage';
      return given('--fields') ? 'PartialTaskPage' : 'TaskPage';
    case 'commands':
      return 'CommandPage';
    case 'command':
      return 'CommandView';
    case 'read':
      return 'ReadMark';
    case 'snapshot':
      return 'Snapshot';
    case 'bulk':
      return 'BulkAnswer';
    case 'events':
      return 'EventView';
    case 'request':
      return 'Request';
    case 'submit':
      return asJson || has('--dry-run') ? 'SubmitOrDryRunAnswer' : undefined;
    case 'run':
      return asJson ? 'TaskView' : undefined;
    case 'gc':
      return has('--json') ? 'GcReport' : undefined;
    default:
      return undefined;
  }
}

/** One value, the items of a list, or a value on each line. */
function valuesIn(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [value];
  } catch {
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
  }
}

function isRefusal(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'error' in value && !('task_id' in value);
}
