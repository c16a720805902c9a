import { invalidInput } from '../../task/errors.js';
import { groupNotifySchema, notifySchema } from '../../task/notify-schema.js';
import type { FollowUpBody, OnEnd } from '../../task/on-end.js';
import { checkNotify, type WebhookRules } from '../notify/check.js';

interface Parts {
  policy?: { on_end?: OnEnd[] | null; notify?: unknown; group_notify?: unknown } | null;
  control_context?: { tenant?: unknown } | null;
}

/**
 * Refuses what could not be submitted as things are now, all that follows it included; when it is submitted all of it is looked at again.
 * @param tenant of the task that they follow
 * @throws ExecgoError `invalid_input` for another tenant than that; as `checkNotify`
 */
export function checkFollowUps(
  webhooks: WebhookRules,
  tenant: string | undefined,
  list: readonly OnEnd[],
  path = 'policy.on_end',
): void {
  for (const [i, { submit }] of list.entries()) check(webhooks, tenant, submit, `${path}.${i}.submit`);
}

function check(webhooks: WebhookRules, tenant: string | undefined, body: FollowUpBody, path: string): void {
  const { policy, control_context: context } = body as Parts;
  if ((context?.tenant ?? tenant) !== tenant)
    throw invalidInput(`${path}.control_context.tenant: must be that of the task that it follows, or none`);
  if (policy?.notify) checkNotify(webhooks, `${path}.policy.notify`, notifySchema.parse(policy.notify));
  if (policy?.group_notify)
    checkNotify(webhooks, `${path}.policy.group_notify`, groupNotifySchema.parse(policy.group_notify));
  if (policy?.on_end) checkFollowUps(webhooks, tenant, policy.on_end, `${path}.policy.on_end`);
}
