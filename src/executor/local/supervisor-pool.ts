import fs from 'node:fs';
import path from 'node:path';
import type { Logger } from 'pino';
import { makeDirectories } from '../../files/make-directories.js';
import type { SupervisorRecord } from '../../store/records.js';
import type { Store } from '../../store/store.js';
import { removeSocketPlace } from '../../supervisor/wire/socket-path.js';
import { startSupervisor } from './start.js';
import type { LaterMessage } from '../../supervisor/wire/line-channel.js';
import { launchVersion, type DaemonMessage, type SupervisorMessage } from '../../supervisor/wire/protocol.js';
import { crashPoint } from '../crash-point.js';
import { SupervisorLink } from './supervisor-link.js';
import { mayPass, retry } from '../../store/retry.js';

/** How long the start waits for a supervisor that lives but does not answer. */
const READY_TIMEOUT_MS = 5000;
/** How long a supervisor that was started has to answer before another is; twice as long with each that does not. */
const FIRST_PATIENCE_MS = 60_000;
/** How long the start waits until what a dead one has left is settled; it takes that long only when the disk is full. */
const SETTLE_TIMEOUT_MS = 30_000;

/** How often in a row the start of a supervisor is tried before it is left until tasks need one. */
const START_TRIES = 10;

/** What the supervisors tell whoever gives them attempts. */
export interface PoolEvents {
  /** A connection was made; what the supervisor knows follows. */
  connected: (link: SupervisorLink) => void;
  /** A new connection, or an old one made again, has told all it knows: `running` and outcomes came before. */
  listed: (link: SupervisorLink) => void;
  message: (link: SupervisorLink, message: SupervisorMessage) => void;
  /** A message that is not understood was dropped; its value, where it is one. */
  garbled: (link: SupervisorLink, value: unknown) => void;
  /** True for one that holds running tasks. */
  holds: (link: SupervisorLink) => boolean;
  /** The process is gone; its directory is still there, and is removed once the database gives no running task to it. */
  died: (link: SupervisorLink) => Promise<void>;
  /** What it has left could not be settled: what ran there is lost. */
  abandoned: (link: SupervisorLink) => void;
  /** There is a supervisor that accepts attempts. */
  ready: () => void;
}

export interface PoolOptions {
  /** `<data-dir>/supervisor`. */
  root: string;
  version: string;
  bootId: string;
  /** The program that is this daemon, run again as the supervisor. */
  entry: string | undefined;
  launcher: 'libc' | 'execa' | 'auto';
  store: Store;
  log: Logger;
  now: () => number;
}

/** All supervisors of a data directory: one accepts attempts, older ones finish what they run. */
export class SupervisorPool {
  private readonly links = new Map<string, SupervisorLink>();
  private readonly listed = new Set<string>();
  /** Dead, and what they have left was told, but perhaps not written down. */
  private readonly settled = new Set<SupervisorLink>();
  private currentLink: SupervisorLink | undefined;
  private starting: Promise<void> | undefined;
  private gaveUp = false;
  private closing = false;
  private patienceMs = FIRST_PATIENCE_MS;
  private waiters: (() => void)[] = [];

  constructor(
    private readonly options: PoolOptions,
    private readonly events: PoolEvents,
  ) {}

  /** The supervisor that new attempts go to; undefined while there is none. */
  get current(): SupervisorLink | undefined {
    return this.currentLink;
  }

  /**
   * Connects to every supervisor that is left from before, takes what they tell, and starts one if none accepts
   * attempts. Supervisors that died meanwhile are reported through `died` before this resolves. What a full disk holds
   * up goes on afterwards: a daemon that can only be read from is better than none.
   */
  async start(): Promise<void> {
    makeDirectories(this.options.root, 0o700);
    const recorded = this.options.store.supervisors.all();
    this.removeUnrecorded(new Set(recorded.map((r) => r.incarnation)));
    await Promise.all(recorded.map((identity) => this.settle(identity)));
    await new Promise<void>((resolve) => {
      void this.ensureCurrent(resolve).then(resolve);
    });
  }

  /** False as soon as a supervisor is known to be dead: what is sent to it is not read any more. */
  lives(incarnation: string): boolean {
    return this.links.get(incarnation)?.gone === false;
  }

  /** True for a supervisor that lives or has not been dealt with yet. */
  has(incarnation: string): boolean {
    return this.links.has(incarnation);
  }

  /** True while this supervisor hears what it is told. */
  isConnected(incarnation: string): boolean {
    return this.links.get(incarnation)?.connected === true;
  }

  /** The launch version of a supervisor; undefined until it was connected for the first time. */
  launchVersionOf(incarnation: string): number | undefined {
    return this.links.get(incarnation)?.launchVersion;
  }

  /** Sends to one supervisor; one that is not connected is told by the next connect. */
  send(incarnation: string, message: DaemonMessage): void {
    this.links.get(incarnation)?.send(message);
  }

  /** As {@link send}, for a launch message: made once there is room for it. */
  sendLater(incarnation: string, message: LaterMessage): void {
    this.links.get(incarnation)?.sendLater(message);
  }

  /** Lets go of all supervisors. @param drain also ask them to exit once they have nothing left */
  close(drain: boolean): void {
    this.closing = true;
    this.currentLink = undefined;
    for (const link of this.links.values()) {
      if (drain) link.send({ type: 'drain' });
      link.close();
    }
    this.wake();
  }

  /** A supervisor that was never committed was never given an attempt; without its directory it exits by itself. */
  private removeUnrecorded(recorded: ReadonlySet<string>): void {
    for (const name of fs.readdirSync(this.options.root))
      if (!recorded.has(name))
        fs.rmSync(path.join(this.options.root, name), { recursive: true, force: true });
  }

  private link(identity: SupervisorRecord): SupervisorLink {
    const { root, version, bootId, log } = this.options;
    const link = new SupervisorLink(identity, path.join(root, identity.incarnation), {
      version,
      bootId,
      log,
      events: {
        connected: (l) => {
          this.events.connected(l);
          l.send({ type: 'list' });
        },
        message: (l, message) => {
          if (message.type === 'listed') this.onListed(l);
          else this.events.message(l, message);
        },
        garbled: (l, value) => {
          this.events.garbled(l, value);
        },
        dead: (l) => {
          void this.onDead(l);
        },
      },
    });
    this.links.set(identity.incarnation, link);
    return link;
  }

  /** Resolves when the supervisor has told all it knows, is dead and dealt with, or does not answer for too long. */
  private async settle(identity: SupervisorRecord): Promise<void> {
    const link = this.link(identity);
    if (!link.alive()) {
      void this.onDead(link);
      await this.until(() => !this.links.has(link.incarnation), SETTLE_TIMEOUT_MS);
      return;
    }
    void link.run();
    await this.until(() => this.listed.has(link.incarnation) || !this.links.has(link.incarnation));
  }

  private async until(condition: () => boolean, timeoutMs = READY_TIMEOUT_MS): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!condition() && performance.now() < deadline)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.waiters.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
  }

  private wake(): void {
    for (const waiter of this.waiters.splice(0)) waiter();
  }

  private onListed(link: SupervisorLink): void {
    if (this.closing) return;
    this.listed.add(link.incarnation);
    if (this.currentLink === undefined && link.launchVersion === launchVersion()) this.currentLink = link;
    if (this.currentLink !== link) link.send({ type: 'drain' });
    this.events.listed(link);
    this.wake();
    if (this.currentLink === link) this.events.ready();
  }

  private async onDead(link: SupervisorLink): Promise<void> {
    if (this.closing) return;
    link.gone = true;
    const about = { incarnation: link.incarnation, pid: link.pid };
    // One that has nothing to do ends with its daemon.
    const isMissed = this.currentLink === link || this.events.holds(link);
    this.options.log[isMissed ? 'warn' : 'debug'](about, 'a supervisor is gone');
    if (this.currentLink === link) {
      this.currentLink = undefined;
      void this.ensureCurrent();
    }
    await this.untilDone('cannot settle what a supervisor has left', () => this.events.died(link)).catch(
      () => {
        if (!this.closing) this.events.abandoned(link);
      },
    );
    this.settled.add(link);
    await this.forgetSettled();
    this.links.delete(link.incarnation);
    this.wake();
  }

  /** Forgets the dead that the database gives no running task to: what they have left nobody needs any more. */
  async forgetSettled(): Promise<void> {
    for (const link of [...this.settled]) {
      this.settled.delete(link);
      await this.untilDone('cannot forget a supervisor', () => this.forget(link)).catch(() => undefined);
    }
  }

  private async forget(link: SupervisorLink): Promise<void> {
    const { store } = this.options;
    crashPoint('before_supervisor_removal');
    if (!(await store.commits.write(() => store.supervisors.remove(link.incarnation)))) {
      this.settled.add(link);
      return;
    }
    crashPoint('after_supervisor_removal');
    removeSocketPlace(link.dir);
    fs.rmSync(link.dir, { recursive: true, force: true });
  }

  /** @param delayed called when the first try failed, and it will be tried again */
  private ensureCurrent(delayed?: () => void): Promise<void> {
    const start = async () => {
      if (this.currentLink === undefined) await this.startOne(delayed);
    };
    // Nothing runs without a supervisor, so other reasons than a full disk are given some tries, too.
    const counts = (error: unknown, tries: number) => mayPass(error, tries) || tries < START_TRIES;
    this.starting ??= this.untilDone('cannot start a supervisor', start, delayed, counts)
      .catch(() => undefined)
      .finally(() => {
        this.starting = undefined;
        this.gaveUp = this.currentLink === undefined;
      });
    return this.starting;
  }

  /** Tries to start one again, where that was given up: there are tasks to be launched. */
  wanted(): void {
    if (this.gaveUp && !this.closing) void this.ensureCurrent();
  }

  /** Tries again while the disk is full and the daemon does not stop. @throws once it is given up */
  private untilDone<T>(
    what: string,
    action: () => Promise<T>,
    onDelay?: () => void,
    counts = mayPass,
  ): Promise<T> {
    const { log } = this.options;
    return retry(action, { log, what, onDelay, counts, lasts: () => !this.closing });
  }

  private async startOne(delayed?: () => void): Promise<void> {
    const { root, version, entry, launcher, store, bootId, now } = this.options;
    const started = await startSupervisor({ root, version, entry, launcher });
    const { incarnation, pid, start_ticks } = started;
    const identity = { incarnation, pid, start_ticks, boot_id: bootId, started_at_ms: now() };
    crashPoint('before_supervisor_commit');
    try {
      await store.commits.write(() => {
        store.supervisors.put(identity);
      });
    } catch (error) {
      started.discard();
      throw error;
    }
    crashPoint('after_supervisor_commit');
    const link = this.link(identity);
    void link.run();
    const answered = () =>
      this.closing || this.currentLink !== undefined || link.gone || this.listed.has(incarnation);
    await this.until(answered);
    if (!answered()) {
      this.options.log.warn({ incarnation, pid }, 'a new supervisor does not answer yet; it is waited for');
      delayed?.();
      await this.until(answered, this.patienceMs);
      if (!answered()) this.patienceMs *= 2;
    }
    if (this.currentLink !== undefined) this.patienceMs = FIRST_PATIENCE_MS;
    else if (!this.closing)
      throw new Error(`supervisor ${incarnation} (pid ${pid}) takes no attempts of this daemon`);
  }
}
