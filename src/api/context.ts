import type { Logger } from 'pino';
import type { Service } from '../runtime/service.js';
import type { BodyBudget } from './body-budget.js';
import type { Connections } from './connections.js';
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
  connections: Connections;
  /** What the bodies of all requests may hold. */
  bodies: BodyBudget;
  /** How often a silent stream says that it lives, in milliseconds. */
  heartbeatMs: number;
  /** The specification of all routes, as JSON: made when it is first asked for. */
  specification: () => Promise<string>;
}
