import { createHmac } from 'node:crypto';

/** What a message is, on its way. */
export interface Message {
  /** The same at each attempt. */
  id: string;
  /** JSON. */
  body: string;
}

/**
 * The headers that Standard Webhooks asks for. Each key makes a signature of its own; without one there is no signature.
 * @param atMs Unix time of this attempt
 */
export function signedHeaders({ id, body }: Message, keys: readonly Buffer[], atMs: number) {
  const timestamp = String(Math.floor(atMs / 1000));
  const signatures = keys.map(
    (key) => `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
  );
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    ...(signatures.length === 0 ? {} : { 'webhook-signature': signatures.join(' ') }),
  };
}
