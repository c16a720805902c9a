import { bodyOf, ExecgoError, invalidInput } from '../../task/errors.js';
import { isPlainObject } from '../../task/plain-object.js';
import type { BatchItem } from '../../task/view.js';
import type { Core } from '../core.js';
import { inTurns } from '../turns.js';
import { inOrderOfRefs, withoutRefs, type RefItem } from './batch-refs.js';
import { submit, type Intake, type SubmittingCore } from './submit.js';

/** How many tasks one batch may hold. */
const BATCH_MAX = 1000;

/** An item that is being submitted. */
interface Sent {
  /** Undefined as long as only its answer can tell. */
  id: string | undefined;
  /** It is written down, in a transaction that may still be under way. */
  isInserted: boolean;
  answer?: Promise<BatchItem>;
}

/**
 * Accepts many tasks, which share transactions and their fsyncs; each has an answer, in order. A refused item does not
 * affect others, but for those that start after it. A large batch takes several turns of the event loop, so that other requests
 * need not wait for all of it.
 * @throws ExecgoError `invalid_input` when the body is not `{tasks: [...]}` with 1 to 1,000 items
 */
export async function submitBatch(core: SubmittingCore, intake: Intake, body: unknown): Promise<BatchItem[]> {
  const tasks: unknown =
    typeof body === 'object' && body !== null && 'tasks' in body ? body.tasks : undefined;
  if (!Array.isArray(tasks)) throw invalidInput('tasks: must be an array of task submissions');
  if (tasks.length === 0 || tasks.length > BATCH_MAX)
    throw invalidInput(`tasks: must have 1 to ${BATCH_MAX} items, not ${tasks.length}`);
  const sent = new Map<RefItem, Sent>();
  const items = inOrderOfRefs(tasks);
  const answers = await inTurns(items, (item) => {
    const self: Sent = { id: undefined, isInserted: false };
    sent.set(item, self);
    self.answer = submitItem(core, intake, item, tasks[item.at], self, sent);
    return self.answer;
  });
  const inOrder = items.map(({ at }, i) => ({ at, answer: answers[i] })).sort((a, b) => a.at - b.at);
  return Promise.all(inOrder.flatMap(({ answer }) => answer ?? []));
}

/**
 * Submits an item once all are on their way that it starts after. Theirs come first in the same transaction, mostly.
 * @param whole the item with its name
 */
async function submitItem(
  core: SubmittingCore,
  intake: Intake,
  { ref, body: asSent, after, problem }: RefItem,
  whole: unknown,
  self: Sent,
  others: ReadonlyMap<RefItem, Sent>,
): Promise<BatchItem> {
  if (problem !== undefined) return refused(core, asSent, problem);
  const before = new Map([...after].map(([name, item]) => [name, others.get(item)]));
  try {
    // With a key the answer may be that of long ago: who starts after such an item has to wait for it, and so has who starts after that.
    const mustWait = [...before.values()].some((other) => other?.id === undefined);
    const body = ref === undefined ? asSent : withId(asSent, intake);
    if (mustWait) await accepted(before);
    else if (ref !== undefined && !hasKey(body)) self.id = idOf(body);
    const answer = await submit(
      core,
      intake,
      withoutRefs(body, (name) => before.get(name)?.id ?? name),
      {
        sent: whole,
        check: () => {
          for (const [name, other] of before) if (other?.isInserted !== true) throw notAccepted(name);
        },
        inserted: () => {
          self.isInserted = true;
        },
      },
    );
    self.id = answer.task_id;
    self.isInserted = true;
    return answer;
  } catch (error) {
    self.isInserted = false;
    return refused(core, asSent, error);
  }
}

/** @throws ExecgoError `invalid_input` when one was not accepted */
async function accepted(items: ReadonlyMap<string, Sent | undefined>): Promise<void> {
  for (const [name, item] of items) {
    await item?.answer;
    if (item?.isInserted !== true) throw notAccepted(name);
  }
}

function notAccepted(name: string): ExecgoError {
  return invalidInput(`policy.after: item ${JSON.stringify(name)} of this batch was not accepted`);
}

function hasKey(body: unknown): boolean {
  const context = isPlainObject(body) ? body.control_context : undefined;
  return isPlainObject(context) && (context.idempotency_key ?? undefined) !== undefined;
}

/** With an id of its own, where it has none and no key, by which it is the same request with none. */
function withId(body: unknown, intake: Intake): unknown {
  if (!isPlainObject(body) || (body.task_id ?? undefined) !== undefined || hasKey(body)) return body;
  return { ...body, task_id: intake.newId() };
}

function idOf(body: unknown): string | undefined {
  const id = isPlainObject(body) ? body.task_id : undefined;
  return typeof id === 'string' ? id : undefined;
}

function refused(core: Pick<Core, 'log'>, item: unknown, error: unknown): BatchItem {
  const task_id = typeof item === 'object' && item !== null && 'task_id' in item ? item.task_id : undefined;
  if (!(error instanceof ExecgoError)) core.log.error({ err: error }, 'a submit failed');
  return {
    ...(typeof task_id === 'string' ? { task_id } : {}),
    error: bodyOf(error),
  };
}
