import { randomUUID } from 'node:crypto';
import { ExecgoError } from '../../task/errors.js';
import type { NotifyTestAnswer } from '../../task/notification-view.js';
import { NotifyTestRequest } from '../../task/notify-schema.js';
import { originOf } from '../../task/notify.js';
import { checkShape } from '../../task/shape.js';
import { invalidInputFrom } from '../../task/validate.js';
import { timestamp } from '../views/timestamp.js';
import { checkWebhook, type WebhookRules } from './check.js';
import type { Sender } from './sender.js';

interface TestingCore {
  webhooks: WebhookRules;
  sender: Sender;
  now: () => number;
}

/** How many are under way at once: each may take as long as its receiver. */
const AT_ONCE = 8;

/** Messages that are sent to see whether one arrives. */
export class TestMessages {
  #underWay = 0;

  constructor(private readonly core: TestingCore) {}

  /**
   * Sends one, once.
   * @throws ExecgoError `invalid_input`; `permission_denied` for a host that is not allowed; `resource_limit_exceeded` when too many are
   *   under way
   */
  async send(body: unknown, signal: AbortSignal): Promise<NotifyTestAnswer> {
    const { webhooks, sender, now } = this.core;
    checkShape(body);
    const parsed = NotifyTestRequest.safeParse(body);
    if (!parsed.success) throw invalidInputFrom(parsed.error);
    const { webhook } = parsed.data;
    checkWebhook(webhooks, 'webhook', webhook);
    if (this.#underWay >= AT_ONCE)
      throw new ExecgoError(
        'resource_limit_exceeded',
        `${AT_ONCE} tests are under way already; try again in a moment`,
      );
    this.#underWay++;
    const begun = performance.now();
    try {
      const message = {
        id: randomUUID(),
        body: JSON.stringify({
          type: 'test',
          timestamp: timestamp(now()),
          data: { message: 'A message from execgo, to see whether one arrives.' },
        }),
      };
      const { delivered, http_status, error } = await sender.send(message, webhook, signal);
      return {
        webhook_id: message.id,
        to: originOf(webhook.url),
        signed: webhook.secret_ref !== undefined,
        delivered,
        duration_ms: Math.round(performance.now() - begun),
        http_status,
        error,
      };
    } finally {
      this.#underWay--;
    }
  }
}
