import type { Logger } from 'pino';
import type { Service } from '../runtime/service.js';
import type { EventFeed } from './event-feed.js';
import type { Waiters } from './waiters.js';

/** What every route works with. */
export interface ApiContext {
  service: Service;
  /** Of execgo itself. */
  version: string;
  log: Logger;
  /** What all readers of the stream of events read from. */
  feed: EventFeed;
  waiters: Waiters;
  /** How often a silent stream says that it lives, in milliseconds. */
  heartbeatMs: number;
  /** The specification of all routes, as JSON. */
  specification: () => string;
}
