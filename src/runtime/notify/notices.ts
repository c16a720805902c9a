import { randomUUID } from 'node:crypto';
import { crashPoint } from '../../executor/crash-point.js';
import { notifiesOf, type GroupName } from '../../store/group-table.js';
import type { NoticeSource } from '../../store/outbox.js';
import type { EndedTask, LiveRecord, TaskEnd } from '../../store/records.js';
import type { Store } from '../../store/store.js';
import { isMeant, receiverOf, type Notify, type Webhook } from '../../task/notify.js';
import { queueOf } from '../../task/request.js';
import type { QueueRules } from '../queue-rules.js';
import { taskSummary } from '../views/task-view.js';
import { timestamp } from '../views/timestamp.js';

/** Somebody who is to be told of an end. */
export interface Asked {
  source: NoticeSource;
  webhook: Webhook;
}

const NOBODY: readonly Asked[] = [];

interface NoticeOptions {
  /** How long a message is tried to be delivered, in milliseconds. */
  maxAgeMs: number;
  /** Makes ids that are given nowhere else. */
  newId?: () => string;
}

/** Who is told of which end, and the messages that are written with it. */
export class Notices {
  /** Hosts for which something was written that nobody has looked at yet. */
  readonly fresh = new Set<string>();
  readonly #newId: () => string;

  constructor(
    private readonly store: Store,
    private readonly rules: QueueRules,
    private readonly options: NoticeOptions,
  ) {
    this.#newId = options.newId ?? randomUUID;
  }

  /** Who asks to be told of this end. Where nobody does, as of most tasks, that costs next to nothing. */
  of({ request }: LiveRecord, end: Pick<TaskEnd, 'status' | 'cause'>): readonly Asked[] {
    const own = request.policy.notify;
    const queue = this.rules.of(queueOf(request))?.rule.notify;
    if (own === undefined && queue === undefined) return NOBODY;
    return [...asked('task', own, end), ...asked('queue', queue, end)];
  }

  /** Writes a message for each of them. To be called in the transaction of the end. */
  write(all: readonly Asked[], task: EndedTask): void {
    this.#write(all, task, undefined, { type: 'task.ended', data: taskSummary(task, undefined) });
  }

  /**
   * Writes a message for each whom a group tells that it is done. To be called in the transaction of the end that did it.
   * @returns the task whose end that was, which has them
   */
  writeDone(name: GroupName, task: EndedTask): EndedTask {
    const { groups, sequels } = this.store;
    const row = groups.of(name);
    const list = row && notifiesOf(row);
    if (row === undefined || list === undefined) return task;
    const { success, failed, cancelled } = row;
    const status = failed > 0 ? 'failed' : cancelled > 0 ? 'cancelled' : 'success';
    const all = list.flatMap(({ when, webhook }) =>
      when?.includes(status) === false ? [] : [{ source: 'group' as const, webhook }],
    );
    if (all.length === 0) return task;
    const { group, tenant } = name;
    const data = { group, tenant, status, success, failed, cancelled, task_id: task.task_id };
    this.#write(all, task, name, { type: 'group.done', data });
    sequels.outbox.more(task.task_id, all.length);
    crashPoint('after_group_notice_written');
    return { ...task, notices: task.notices + all.length };
  }

  #write(
    all: readonly Asked[],
    task: EndedTask,
    group: GroupName | undefined,
    { type, data }: { type: string; data: object },
  ): void {
    const { clock } = this.store.kept;
    const body = JSON.stringify({ type, timestamp: timestamp(task.finished_at_ms), data });
    for (const { source, webhook } of all) {
      const receiver = receiverOf(webhook.url);
      const host = typeof receiver === 'string' ? '' : receiver.host;
      this.store.sequels.outbox.insert({
        webhook_id: this.#newId(),
        task_id: task.task_id,
        source,
        url: webhook.url,
        host,
        secret_ref: webhook.secret_ref,
        group,
        body,
        created_at_ms: task.finished_at_ms,
        due_ms: clock.now(),
        expires_ms: clock.now() + this.options.maxAgeMs,
      });
      this.fresh.add(host);
    }
  }
}

function asked(
  source: NoticeSource,
  list: readonly Notify[] | undefined,
  end: Pick<TaskEnd, 'status' | 'cause'>,
): readonly Asked[] {
  return (list ?? []).flatMap(({ when, webhook }) => (isMeant(when, end) ? [{ source, webhook }] : []));
}
