import type { Announcer } from '../runtime/announcer.js';
import type { Core } from '../runtime/core.js';
import type { WebhookRules } from '../runtime/notify/check.js';
import { Notices } from '../runtime/notify/notices.js';
import { Notifier } from '../runtime/notify/notifier.js';
import { Sender } from '../runtime/notify/sender.js';
import type { QueueRules } from '../runtime/queue-rules.js';
import { Secrets } from '../webhook/secrets.js';
import type { Config } from './config.js';
import type { Part } from './lifecycle.js';

type Given = Pick<Core, 'store' | 'log' | 'now'> & { config: Config };

/** To whom messages may go, and what they are signed with. */
export const webhooks: Part<Given, WebhookRules> = {
  start: ({ config: { webhookAllow, webhookSecrets } }) => ({
    allowed: webhookAllow,
    secrets: new Secrets(webhookSecrets),
  }),
};

/** Who is told of which end. */
export const notices: Part<Given & { rules: QueueRules }, Notices> = {
  start: ({ store, rules, config }) => new Notices(store, rules, { maxAgeMs: maxAgeMs(config) }),
};

/** What signs and sends messages. */
export const sender: Part<Given & { webhooks: WebhookRules }, Sender> = {
  start: ({ webhooks, config, now }) => new Sender({ ...webhooks, timeoutMs: config.webhookTimeoutMs, now }),
};

/** Delivers messages, from now on. */
export const notifier: Part<Given & { announcer: Announcer; notices: Notices; sender: Sender }, Notifier> = {
  start: (parts) => {
    const { webhookRetryMs: retryMs, webhookMaxAttempts: maxAttempts } = parts.config;
    const started = new Notifier(parts, { retryMs, maxAttempts, maxAgeMs: maxAgeMs(parts.config) });
    started.start();
    return started;
  },
  stop: (started) => started.stop(),
};

function maxAgeMs({ webhookMaxAgeSecs }: Config): number {
  return webhookMaxAgeSecs * 1000;
}
