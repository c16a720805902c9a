import fs from 'node:fs';
import path from 'node:path';
import type { Logger } from 'pino';
import type { SupervisorRecord } from '../store/records.js';
import type { Store } from '../store/store.js';
import { startSupervisor } from '../supervisor/start.js';
import { LAUNCH_VERSION, type DaemonMessage, type SupervisorMessage } from '../supervisor/protocol.js';
import { SupervisorLink } from './supervisor-link.js';

/** How long until a supervisor that could not be started is tried again. */
const RESTART_MS = 500;
/** How long the start waits for a supervisor that lives but does not answer. */
const READY_TIMEOUT_MS = 5000;

/** What the supervisors tell the runtime. */
export interface SupervisorEvents {
  /** A connection was made; what the supervisor knows follows. */
  connected: (link: SupervisorLink) => void;
  /** A new connection, or an old one made again, has told all it knows: `running` and outcomes came before. */
  listed: (link: SupervisorLink) => void;
  message: (link: SupervisorLink, message: SupervisorMessage) => void;
  /** The process is gone; its directory is still there and is removed afterwards. */
  died: (link: SupervisorLink) => Promise<void>;
  /** There is a supervisor that accepts launches. */
  ready: () => void;
}

export interface SupervisorsOptions {
  /** `<data-dir>/supervisor`. */
  root: string;
  version: string;
  bootId: string;
  /** The program that is this daemon, run again as the supervisor. */
  entry: string;
  launcher: 'libc' | 'execa' | 'auto';
  store: Store;
  log: Logger;
  now: () => number;
}

/** All supervisors of a data directory: one accepts launches, older ones finish what they run. */
export class Supervisors {
  private readonly links = new Map<string, SupervisorLink>();
  private readonly listed = new Set<string>();
  private currentLink: SupervisorLink | undefined;
  private closing = false;
  private waiters: (() => void)[] = [];

  constructor(
    private readonly options: SupervisorsOptions,
    private readonly events: SupervisorEvents,
  ) {}

  /** The supervisor that new launches go to; undefined while there is none. */
  get current(): SupervisorLink | undefined {
    return this.currentLink;
  }

  /**
   * Connects to every supervisor that is left from before, takes what they tell, and starts one if none accepts
   * launches. Supervisors that died meanwhile are reported through `died` before this resolves.
   */
  async start(): Promise<void> {
    fs.mkdirSync(this.options.root, { recursive: true, mode: 0o700 });
    const recorded = this.options.store.supervisors();
    this.removeUnrecorded(new Set(recorded.map((r) => r.incarnation)));
    await Promise.all(recorded.map((identity) => this.settle(identity)));
    await this.ensureCurrent();
  }

  /** True for a supervisor that lives or has not been dealt with yet. */
  has(incarnation: string): boolean {
    return this.links.has(incarnation);
  }

  /** Sends to one supervisor; one that is not connected is told by the next connect. */
  send(incarnation: string, message: DaemonMessage): void {
    this.links.get(incarnation)?.send(message);
  }

  /** Lets go of all supervisors. @param drain also ask them to exit once they have nothing left */
  close(drain: boolean): void {
    this.closing = true;
    for (const link of this.links.values()) {
      if (drain) link.send({ type: 'drain' });
      link.close();
    }
  }

  /** A supervisor that was never committed was never given a launch; without its directory it exits by itself. */
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
      await this.onDead(link);
      return;
    }
    void link.run();
    await this.until(() => this.listed.has(link.incarnation) || !this.links.has(link.incarnation));
  }

  private async until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    while (!condition() && performance.now() < deadline)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, READY_TIMEOUT_MS);
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
    this.listed.add(link.incarnation);
    if (this.currentLink === undefined && link.launchVersion === LAUNCH_VERSION) this.currentLink = link;
    if (this.currentLink !== link) link.send({ type: 'drain' });
    this.events.listed(link);
    this.wake();
    if (this.currentLink === link) this.events.ready();
  }

  private async onDead(link: SupervisorLink): Promise<void> {
    if (this.closing) return;
    this.options.log.warn({ incarnation: link.incarnation, pid: link.pid }, 'a supervisor is gone');
    const wasCurrent = this.currentLink === link;
    if (wasCurrent) this.currentLink = undefined;
    await this.events.died(link);
    await this.options.store.commits.write(() => {
      this.options.store.removeSupervisor(link.incarnation);
    });
    fs.rmSync(link.dir, { recursive: true, force: true });
    this.links.delete(link.incarnation);
    this.wake();
    if (wasCurrent) await this.ensureCurrent();
  }

  private async ensureCurrent(): Promise<void> {
    while (this.currentLink === undefined && !this.closing) {
      try {
        await this.startOne();
      } catch (error) {
        this.options.log.error({ err: error }, 'cannot start a supervisor; will retry');
        await new Promise((resolve) => setTimeout(resolve, RESTART_MS));
      }
    }
  }

  private async startOne(): Promise<void> {
    const { root, version, entry, launcher, store, bootId, now } = this.options;
    const { incarnation, pid, start_ticks } = await startSupervisor({ root, version, entry, launcher });
    const identity = { incarnation, pid, start_ticks, boot_id: bootId, started_at_ms: now() };
    await store.commits.write(() => {
      store.putSupervisor(identity);
    });
    const link = this.link(identity);
    void link.run();
    await this.until(() => this.currentLink !== undefined || !this.links.has(incarnation));
  }
}
