import { crashPoint } from '../../executor/crash-point.js';
import { retry } from '../../store/retry.js';
import { Deadline } from '../../task/deadline.js';
import { originOf } from '../../task/notify.js';
import type { PendingNotice } from '../../store/outbox.js';
import type { Announcer } from '../announcer.js';
import type { Core } from '../core.js';
import { backOff } from './back-off.js';
import type { Notices } from './notices.js';
import type { Delivery, Sender } from './sender.js';

/** How many messages are under way at once: to one host, so that a slow one is not flooded, and in all. */
const AT_ONCE = { toHost: 4, all: 256 };
/** How often messages that are too old are looked for, and how many at once. */
const SWEEP_MS = 60_000;
const SWEEP_ROWS = 500;
/** How long one waits whose outcome cannot be written down, in milliseconds. */
const UNWRITTEN_MS = 60_000;

export interface NotifierOptions {
  /** How long the second attempt waits, in milliseconds. */
  retryMs: number;
  maxAttempts: number;
  maxAgeMs: number;
}

type NotifyingCore = Pick<Core, 'store' | 'log' | 'now'> & {
  announcer: Announcer;
  notices: Notices;
  sender: Sender;
};

/** The messages for one host. */
interface Host {
  /** Their numbers while they are under way. */
  readonly running: Set<number>;
  /** Until the next is due. */
  timer: Deadline | undefined;
}

/**
 * Delivers the messages of the outbox: each at least once, or until there were too many attempts or it is too old. Those for one host
 * wait for each other, and for no other host.
 */
export class Notifier {
  readonly #hosts = new Map<string, Host>();
  /** Hosts that have something due, for which there was no place among all. */
  readonly #held = new Set<string>();
  readonly #stop = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  #sweep: NodeJS.Timeout | undefined;

  constructor(
    private readonly core: NotifyingCore,
    private readonly options: NotifierOptions,
  ) {}

  /** Begins with what an earlier daemon has left. */
  start(): void {
    const { announcer, store } = this.core;
    announcer.onAnyEnd(() => {
      this.#lookAtFresh();
    });
    for (const host of store.sequels.outbox.hosts()) this.#pump(host);
    this.#lookAtFresh();
    this.#sweep = setInterval(() => void this.#giveUpExpired(), SWEEP_MS).unref();
    void this.#giveUpExpired();
  }

  /** Breaks off what is under way, which the next daemon sends again. */
  async stop(): Promise<void> {
    this.#stop.abort();
    clearInterval(this.#sweep);
    for (const { timer } of this.#hosts.values()) timer?.cancel();
    await Promise.all(this.#underWay);
  }

  #lookAtFresh(): void {
    const { fresh } = this.core.notices;
    if (fresh.size === 0) return;
    const hosts = [...fresh];
    fresh.clear();
    for (const host of hosts) this.#pump(host);
  }

  /** Sends what is due for a host, as far as there is a place for it. */
  #pump(name: string): void {
    if (this.#stop.signal.aborted) return;
    const { store } = this.core;
    const host = this.#hosts.get(name) ?? { running: new Set<number>(), timer: undefined };
    this.#hosts.set(name, host);
    host.timer?.cancel();
    host.timer = undefined;
    this.#held.delete(name);
    const now = store.kept.clock.now();
    for (const { id, due_ms } of store.sequels.outbox.queue(name, host.running.size + AT_ONCE.toHost + 1)) {
      if (host.running.has(id)) continue;
      if (due_ms > now) {
        host.timer = new Deadline(due_ms - now, () => {
          this.#pump(name);
        }).unref();
        break;
      }
      if (host.running.size >= AT_ONCE.toHost) break;
      if (this.#underWay.size >= AT_ONCE.all) {
        this.#held.add(name);
        break;
      }
      this.#send(name, host, id);
    }
    if (host.running.size === 0 && host.timer === undefined) this.#hosts.delete(name);
  }

  #send(name: string, host: Host, id: number): void {
    host.running.add(id);
    const sending = this.#deliver(id).finally(() => {
      host.running.delete(id);
      this.#underWay.delete(sending);
      this.#pump(name);
      const [held] = this.#held;
      if (held !== undefined) this.#pump(held);
    });
    this.#underWay.add(sending);
  }

  async #deliver(id: number): Promise<void> {
    const { store, sender, log } = this.core;
    const { signal } = this.#stop;
    const notice = store.sequels.outbox.pending(id);
    if (notice === undefined) return;
    const { webhook_id, task_id, body, url, secret_ref } = notice;
    crashPoint('before_notice_sent');
    const webhook = { url, secret_ref: secret_ref ?? undefined };
    const delivery = await sender.send({ id: webhook_id, body }, webhook, signal).catch(() => undefined);
    if (delivery === undefined || signal.aborted) return;
    crashPoint('after_notice_sent');
    const lasts = () => !store.commits.closed && !signal.aborted;
    const what = 'cannot write down what has become of a message';
    try {
      await retry(() => this.#record(notice, delivery), { log, what, about: { webhook_id, task_id }, lasts });
    } catch {
      await this.#pause(UNWRITTEN_MS);
    }
  }

  async #record(notice: PendingNotice, delivery: Delivery): Promise<void> {
    const { store, log, now } = this.core;
    const { id, webhook_id, task_id, url } = notice;
    const { retryMs, maxAttempts } = this.options;
    const { delivered, http_status, error, isFinal, retryAfterMs = 0 } = delivery;
    const attempts = notice.attempts + 1;
    const delay = Math.max(backOff.delayMs(retryMs, attempts, Math.random()), retryAfterMs);
    const due = store.kept.clock.now() + delay;
    const isLast = isFinal === true || attempts >= maxAttempts || due > notice.expires_ms;
    await store.commits.write(() => {
      const attempt = { http_status, error };
      if (delivered || isLast)
        store.sequels.outbox.settle(id, delivered ? 'delivered' : 'given_up', attempt, {
          tried: true,
          at_ms: now(),
        });
      else store.sequels.outbox.putOff(id, attempt, due);
      crashPoint('before_notice_commit');
    });
    crashPoint('after_notice_commit');
    const told = { webhook_id, task_id, to: originOf(url), attempts, http_status, error };
    if (delivered) log.debug(told, 'a message was delivered');
    else if (isLast) log.warn(told, 'a message was not delivered, and is given up');
    else log.debug({ ...told, again_in_ms: delay }, 'a message was not delivered');
  }

  /** Those that wait behind others for the same host may become too old without an attempt. */
  async #giveUpExpired(): Promise<void> {
    const { store, log, now } = this.core;
    const running = new Set([...this.#hosts.values()].flatMap((host) => [...host.running]));
    const ids = store.sequels.outbox
      .expired(store.kept.clock.now(), SWEEP_ROWS)
      .filter((id) => !running.has(id));
    if (ids.length === 0 || this.#stop.signal.aborted) return;
    const error = `it was older than ${this.options.maxAgeMs / 1000} s before it could be sent`;
    try {
      const given = await store.commits.write(
        () =>
          ids.filter((id) =>
            store.sequels.outbox.settle(
              id,
              'given_up',
              { http_status: undefined, error },
              { tried: false, at_ms: now() },
            ),
          ).length,
      );
      log.warn({ messages: given }, 'messages are given up that are too old');
    } catch (err) {
      log.error({ err }, 'cannot give up messages that are too old; will retry');
    }
  }

  #pause(ms: number): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done);
        pause.cancel();
        resolve();
      };
      const pause = new Deadline(ms, done).unref();
      signal.addEventListener('abort', done);
    });
  }
}
