import { ExecgoError, invalidInput } from '../../task/errors.js';
import { receiverOf, type Notify, type Webhook } from '../../task/notify.js';
import type { AllowList } from '../../webhook/allow-list.js';
import { notAllowed } from '../../webhook/post.js';
import { SecretError, type Secrets } from '../../webhook/secrets.js';

/** What messages may go to, and be signed with. */
export interface WebhookRules {
  allowed: AllowList;
  secrets: Secrets;
}

/**
 * @param path of the list in what was sent: `policy.notify`
 * @throws ExecgoError as {@link checkWebhook}
 */
export function checkNotify(rules: WebhookRules, path: string, list: readonly Notify[]): void {
  for (const [i, { webhook }] of list.entries()) checkWebhook(rules, `${path}.${i}.webhook`, webhook);
}

/**
 * Refuses what could not be delivered as things are now; when it is delivered that is looked at again.
 * @throws ExecgoError `permission_denied` for a receiver that the operator has not allowed, `invalid_input` for a secret that there is not
 */
export function checkWebhook({ allowed, secrets }: WebhookRules, path: string, webhook: Webhook): void {
  const receiver = receiverOf(webhook.url);
  if (typeof receiver === 'string') throw invalidInput(`${path}.url: ${receiver}`);
  if (!allowed.allows(receiver))
    throw new ExecgoError('permission_denied', `permission denied: ${path}.url: ${notAllowed(receiver)}`, {
      field: `${path}.url`,
      host: receiver.host,
      port: receiver.port,
    });
  if (webhook.secret_ref === undefined) return;
  try {
    secrets.keys(webhook.secret_ref);
  } catch (error) {
    if (!(error instanceof SecretError)) throw error;
    throw invalidInput(`${path}.secret_ref: ${error.message}`);
  }
}
