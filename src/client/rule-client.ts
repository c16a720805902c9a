import type { QueueQuery, QueueRuleRequest, QueueView } from '../task/queues.js';
import type { ScheduleEdit, SchedulePage, ScheduleRequest, ScheduleView } from '../task/schedules.js';
import type { SubmitAnswer } from '../task/view.js';
import type { Abortable, Calls } from './calls.js';
import { queuePath, schedulePath } from './paths.js';

/** What a client says of queues, and what it asks of schedules; each method throws as those of `ExecgoClient` do. */
export class RuleClient {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** Sets the rule of a queue, in the place of the one that it has; resolves once it is durable and in force. */
  async putQueue(name: string, rule: QueueRuleRequest, options: Abortable = {}): Promise<QueueView> {
    const repeatable = (rule.if_version ?? undefined) === undefined;
    return this.#calls.put(queuePath(name), { ...options, body: rule, repeatable });
  }

  /** Takes the rule of a queue away; its tasks stay. */
  async deleteQueue(name: string, options: Abortable = {}): Promise<void> {
    await this.#calls.delete(queuePath(name), options);
  }

  /** One page of the schedules, by name. */
  async schedules(options: Abortable & Partial<QueueQuery> = {}): Promise<SchedulePage> {
    const { limit, cursor, signal } = options;
    return this.#calls.get('/api/v1/schedules', { query: { limit, cursor }, signal });
  }

  /** A schedule as it is now, with its last runs and its next due times. */
  async schedule(name: string, options: Abortable = {}): Promise<ScheduleView> {
    return this.#calls.get(schedulePath(name), options);
  }

  /** Makes a schedule; resolves once it is durable and in force. The error `conflict` says that the name is taken. */
  async makeSchedule(schedule: ScheduleRequest, options: Abortable = {}): Promise<ScheduleView> {
    return this.#calls.post('/api/v1/schedules', { ...options, body: schedule, repeatable: false });
  }

  /** Changes what `changes` names of a schedule, and `null` takes back. @returns it afterwards */
  async editSchedule(
    name: string,
    changes: ScheduleEdit,
    options: Abortable & { owner?: string | undefined } = {},
  ): Promise<ScheduleView> {
    return this.#calls.patch(schedulePath(name), { ...options, body: changes });
  }

  /** Deletes a schedule with its history; its tasks stay. */
  async deleteSchedule(
    name: string,
    options: Abortable & { owner?: string | undefined } = {},
  ): Promise<void> {
    await this.#calls.delete(schedulePath(name), options);
  }

  /** Submits the task of a schedule now; sent at most once. */
  async runSchedule(
    name: string,
    options: Abortable & { owner?: string | undefined } = {},
  ): Promise<SubmitAnswer> {
    return this.#calls.post(`${schedulePath(name)}/run`, { ...options, repeatable: false });
  }
}
