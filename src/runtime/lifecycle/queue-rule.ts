import { crashPoint } from '../../executor/crash-point.js';
import { ExecgoError } from '../../task/errors.js';
import { QueueRuleRequest, ruleOf } from '../../task/queues.js';
import { queueName } from '../../task/request.js';
import { checkShape } from '../../task/shape.js';
import { invalidInputFrom } from '../../task/validate.js';
import type { Core } from '../core.js';
import type { QueueRules } from '../queue-rules.js';
import { checkNotify, type WebhookRules } from '../notify/check.js';
import type { Dispatcher } from './dispatch.js';

/** What the change of a rule works with. */
export type RulingCore = Pick<Core, 'store' | 'log' | 'now'> & {
  rules: QueueRules;
  dispatcher: Dispatcher;
  webhooks: WebhookRules;
};

/** How many queues may have a rule: each costs memory, and lines in the metrics. */
const RULES_MAX = 1000;

/**
 * Sets the rule of a queue, in the place of the one that it has. It is durable and in force when this returns: what may start now
 * is started, and what runs goes on.
 * @throws ExecgoError `invalid_input`; `permission_denied` for a host that messages may not go to; `conflict` when the rule has not the version that the body names;
 *   `resource_limit_exceeded` when too many queues have one
 */
export async function putQueueRule(core: RulingCore, queue: string, body: unknown): Promise<void> {
  const { store, rules, dispatcher, log, now } = core;
  const name = queueName.safeParse(queue);
  if (!name.success) throw invalidInputFrom(name.error, 'queue');
  checkShape(body);
  const parsed = QueueRuleRequest.safeParse(body);
  if (!parsed.success) throw invalidInputFrom(parsed.error);
  if (rules.of(queue) === undefined && rules.size >= RULES_MAX)
    throw new ExecgoError(
      'resource_limit_exceeded',
      `${RULES_MAX} queues have a rule, which is the most; delete one that is not needed`,
      { bound: 'rules', limit: RULES_MAX },
    );
  const rule = ruleOf(parsed.data);
  if (rule.notify !== undefined) checkNotify(core.webhooks, 'notify', rule.notify);
  const { if_version } = parsed.data;
  const stored = await store.commits.write(() => {
    const put = store.queues.put(queue, rule, now(), if_version);
    crashPoint('before_queue_commit');
    return put;
  });
  crashPoint('after_queue_commit');
  if (stored === undefined) {
    const version = rules.of(queue)?.version ?? 0;
    throw new ExecgoError(
      'conflict',
      `the rule of queue ${queue} has version ${version}, not ${if_version ?? 0}: somebody has changed it meanwhile`,
      { version },
    );
  }
  rules.set(stored);
  // A URL may hold a secret.
  log.info({ queue, rule: { ...rule, notify: rule.notify?.length } }, 'a queue has a new rule');
  dispatcher.pump();
}

/**
 * Takes the rule of a queue away. Its tasks stay.
 * @throws ExecgoError `not_found` when it has none
 */
export async function deleteQueueRule(core: RulingCore, queue: string): Promise<void> {
  const { store, rules, dispatcher, log } = core;
  const deleted = await store.commits.write(() => {
    const done = store.queues.delete(queue);
    crashPoint('before_queue_removal');
    return done;
  });
  crashPoint('after_queue_removal');
  if (!deleted) throw new ExecgoError('not_found', `queue has no rule: ${queue}`, { queue });
  rules.delete(queue);
  log.info({ queue }, 'the rule of a queue is deleted');
  dispatcher.pump();
}
