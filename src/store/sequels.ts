import type Database from 'better-sqlite3';
import type { CounterTable } from './counters.js';
import { FollowUps } from './follow-ups.js';
import { Outbox } from './outbox.js';

/** How much the end of a task has caused, as its row says. */
export interface Caused {
  notices: number;
  follow_ups: number;
}

/** What ends cause: messages about them, and tasks that follow. */
export class Sequels {
  readonly outbox: Outbox;
  readonly followUps: FollowUps;

  constructor(db: Database.Database, counters: CounterTable) {
    this.outbox = new Outbox(db, counters);
    this.followUps = new FollowUps(db);
  }

  /** Takes away what a task shows of it that is deleted. To be called in that transaction. */
  forget(taskId: string, { notices, follow_ups }: Caused): void {
    if (notices > 0) this.outbox.forget(taskId);
    if (follow_ups > 0) this.followUps.forget(taskId);
  }
}
