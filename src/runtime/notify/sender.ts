import { backOff } from './back-off.js';
import { receiverOf, type Webhook } from '../../task/notify.js';
import type { AllowList } from '../../webhook/allow-list.js';
import { Lookups } from '../../webhook/lookups.js';
import { post, PostError, type PostAnswer } from '../../webhook/post.js';
import { SecretError, type Secrets } from '../../webhook/secrets.js';
import { signedHeaders, type Message } from '../../webhook/signature.js';

/** How an attempt to deliver a message has gone. */
export interface Delivery {
  delivered: boolean;
  http_status?: number | undefined;
  /** In words, why it was not delivered. */
  error?: string | undefined;
  /** The receiver has said that it wants none any more. */
  isFinal?: boolean;
  /** When the receiver wants it again, in milliseconds. */
  retryAfterMs?: number | undefined;
}

interface SenderOptions {
  allowed: AllowList;
  secrets: Secrets;
  timeoutMs: number;
  /** Unix time in milliseconds. */
  now: () => number;
}

/** Sends messages: signs them, and judges the answers. */
export class Sender {
  readonly #lookups = new Lookups();

  constructor(private readonly options: SenderOptions) {}

  /** @throws the signal's reason when that aborts, and nothing else */
  async send(message: Message, { url, secret_ref }: Webhook, signal: AbortSignal): Promise<Delivery> {
    const { allowed, secrets, timeoutMs, now } = this.options;
    const receiver = receiverOf(url);
    if (typeof receiver === 'string') return { delivered: false, error: `the URL ${receiver}` };
    try {
      const keys = secret_ref === undefined ? [] : secrets.keys(secret_ref);
      const headers = signedHeaders(message, keys, now());
      return judge(
        await post(
          { url, receiver, headers, body: message.body },
          { allowed, timeoutMs, signal, lookups: this.#lookups },
        ),
        now(),
      );
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof PostError || error instanceof SecretError)
        return { delivered: false, error: error.message };
      return { delivered: false, error: `it cannot be sent: ${String(error)}`.slice(0, 300) };
    }
  }
}

/** As Standard Webhooks asks: any 2xx is a delivery, and a 410 asks for no more. */
function judge({ status, retryAfter }: PostAnswer, nowMs: number): Delivery {
  if (status >= 200 && status < 300) return { delivered: true, http_status: status };
  const redirected = status >= 300 && status < 400 ? ', and redirects are not followed' : '';
  return {
    delivered: false,
    http_status: status,
    error: `the receiver answered ${status}${redirected}`,
    isFinal: status === 410,
    retryAfterMs: backOff.asked(retryAfter, nowMs),
  };
}
