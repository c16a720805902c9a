import type { Command } from 'commander';
import {
  ExecgoApiError,
  type ExecgoClient,
  type QueueRule,
  type QueueRuleRequest,
  type QueueView,
} from '../client/index.js';
import { connect, parse } from './command.js';
import { EXIT } from './exit-codes.js';
import { isTerminal, paint, plain } from './terminal.js';
import { printJson, printLines } from './write.js';

/** How often to begin anew when somebody else changes the rule at the same time. */
const TRIES = 10;

/**
 * Changes a part of a queue's rule, and keeps the rest of it, also if somebody else changes that meanwhile.
 * @param change gets the rule that there is, undefined where there is none
 */
export async function changeRule(
  client: ExecgoClient,
  queue: string,
  change: (rule: QueueRule | undefined) => QueueRuleRequest,
): Promise<QueueView> {
  for (let tries = 1; ; tries++) {
    const { rule, version } = await ruleOf(client, queue);
    try {
      return await client.putQueue(queue, { ...change(rule), if_version: version });
    } catch (error) {
      if (!isRefusal(error, 'conflict') || tries === TRIES) throw error;
    }
  }
}

/**
 * What the commands do that pause and resume a queue, of which it prints the state.
 * @returns the exit code
 */
export async function setPaused(command: Command, argv: readonly string[], paused: boolean): Promise<number> {
  command.argument('<name>', 'the queue').option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<{ server: string; json?: boolean }>();
  const view = await changeRule(connect(options), command.args[0] ?? '', (rule) => ({ ...rule, paused }));
  await printQueue(view, options.json === true);
  return EXIT.ok;
}

/** The rule of a queue, which need not be there. */
async function ruleOf(
  client: ExecgoClient,
  queue: string,
): Promise<{ rule?: QueueRule | undefined; version: number }> {
  try {
    return await client.queue(queue);
  } catch (error) {
    if (!isRefusal(error, 'not_found')) throw error;
    return { version: 0 };
  }
}

function isRefusal(error: unknown, code: ExecgoApiError['code']): boolean {
  return error instanceof ExecgoApiError && error.code === code;
}

/** Prints a queue as JSON; on a terminal, in one line. */
export async function printQueue(view: QueueView, json: boolean): Promise<void> {
  if (json || !isTerminal()) await printJson(view);
  else await printLines([queueLine(view)]);
}

/** `gpu: paused, 2 running, 12 waiting`. */
export function queueLine({ queue, rule, counts }: QueueView): string {
  const state = rule?.paused === true ? [paint('yellow', 'paused')] : [];
  const parts = [...state, `${String(counts.running)} running`, `${String(counts.accepted)} waiting`];
  return `${paint('bold', plain(queue))}: ${parts.join(', ')}`;
}
