import { subjectOfOutcome } from '../supervisor/wire/messages.js';
import type { Outcome, Running, SupervisorMessage } from '../supervisor/wire/protocol.js';
import { CANCELLED, LOST } from './lifecycle/classify.js';
import { completeFromOutcome, completeWithout } from './lifecycle/complete.js';
import type { Core } from './core.js';
import { launchAgain, pump } from './lifecycle/dispatch.js';
import type { LiveTask } from './live-tasks.js';
import { settleDead } from './recovery/settle-dead.js';
import { recordStarted, recordTimeout } from './lifecycle/started.js';
import type { SupervisorLink } from '../executor/local/supervisor-link.js';
import type { SupervisorEvents } from '../executor/local/supervisors.js';
import { tellKill, tellLaunch } from './lifecycle/tell-supervisor.js';
import { backOffMs, retry } from '../store/retry.js';

/**
 * What the daemon does with what supervisors say, and with what one that died has left behind. Tasks that an earlier
 * daemon started and that still run get a `recovered` event once.
 */
export class Supervision implements SupervisorEvents {
  /** Launches that were running when the supervisor was last connected, and that it has not told of since. */
  private readonly untold = new Map<SupervisorLink, Map<number, LiveTask>>();
  /** Launches that were running when this daemon started and were not seen since. */
  private readonly inherited = new Set<number>();

  constructor(
    private readonly core: () => Core,
    private readonly bootId: string,
  ) {}

  /** Call once the live tasks are loaded, before any supervisor is connected. */
  inherit(): void {
    for (const { record } of this.core().live.all())
      if (record.launch_id !== null) this.inherited.add(record.launch_id);
  }

  connected(link: SupervisorLink): void {
    const running = this.runningUnder(link.incarnation);
    this.untold.set(link, new Map(running.map((task) => [task.record.launch_id ?? 0, task])));
  }

  message(link: SupervisorLink, message: SupervisorMessage): void {
    switch (message.type) {
      case 'running':
        for (const launch of message.launches) this.onRunning(link, launch);
        return;
      case 'started':
        this.onRunning(link, message.launch);
        return;
      case 'timeout':
        this.onTimeout(link, message.launch_id, message.at_ms);
        return;
      case 'outcome':
        void this.onOutcome(link, message.outcome);
        return;
      case 'refused':
        this.onRefused(link, message.launch_id, message.reason);
        return;
      case 'hello':
      case 'listed':
        return;
    }
  }

  /** An end that is not understood will not be understood when it is told again either: nobody knows how the task ended. */
  garbled(link: SupervisorLink, value: unknown): void {
    const subject = subjectOfOutcome(value);
    if (subject?.token === undefined) return;
    const { launch_id, token } = subject;
    const task = this.taskOf(link, { launch_id, token });
    if (task === undefined) return;
    this.untold.get(link)?.delete(launch_id);
    void completeWithout(this.core(), task, LOST).then((isCommitted) => {
      if (isCommitted) link.send({ type: 'ack', launch_ids: [launch_id] });
    });
  }

  listed(link: SupervisorLink): void {
    const core = this.core();
    const untold = this.untold.get(link) ?? new Map<number, LiveTask>();
    this.untold.delete(link);
    for (const task of this.runningUnder(link.incarnation)) {
      if (task.ending !== undefined) continue;
      const launchId = task.record.launch_id ?? 0;
      // What was sent before this connection and is not known has not arrived, and never will.
      if (!untold.has(launchId)) {
        if (task.kill !== undefined) tellKill(core, task);
        continue;
      }
      this.inherited.delete(launchId);
      if (task.kill !== undefined) void completeWithout(core, task, CANCELLED);
      // The same launch, never another: one that it has just begun is not told of yet, and would run twice.
      else tellLaunch(core, task);
    }
  }

  ready(): void {
    pump(this.core());
  }

  holds(link: SupervisorLink): boolean {
    return this.runningUnder(link.incarnation).length > 0;
  }

  async died(link: SupervisorLink): Promise<void> {
    this.untold.delete(link);
    await settleDead(this.core(), link, this.runningUnder(link.incarnation), this.bootId);
  }

  abandoned(link: SupervisorLink): void {
    for (const task of this.runningUnder(link.incarnation))
      if (task.dispatching === undefined && !this.core().unlaunched.has(task))
        void completeWithout(this.core(), task, LOST);
  }

  private onRunning(link: SupervisorLink, launch: Running): void {
    this.untold.get(link)?.delete(launch.launch_id);
    const core = this.core();
    const task = this.taskOf(link, launch);
    if (task === undefined) {
      core.log.warn(
        { launch_id: launch.launch_id },
        'a supervisor runs what no task is known for; it is killed',
      );
      link.send({ type: 'kill', launch_id: launch.launch_id, grace_ms: 0 });
      return;
    }
    void this.guard(task, async () => {
      await recordStarted(core, task, launch);
      await this.recordRecovered(task);
    });
  }

  private onTimeout(link: SupervisorLink, launchId: number, atMs: number): void {
    const task = this.byLaunch(link, launchId);
    if (task === undefined) return;
    void this.guard(task, () => recordTimeout(this.core(), task, launchId, atMs));
  }

  private async onOutcome(link: SupervisorLink, outcome: Outcome): Promise<void> {
    this.untold.get(link)?.delete(outcome.launch_id);
    this.inherited.delete(outcome.launch_id);
    const task = this.taskOf(link, outcome);
    if (task !== undefined && !(await completeFromOutcome(this.core(), task, outcome))) return;
    link.send({ type: 'ack', launch_ids: [outcome.launch_id] });
  }

  private onRefused(link: SupervisorLink, launchId: number, reason: string): void {
    const task = this.byLaunch(link, launchId);
    if (task === undefined) return;
    this.core().log.warn(
      { task_id: task.record.task_id, launch_id: launchId, reason },
      'a supervisor refused a launch',
    );
    // The one that takes all launches refuses for want of room on its disk only.
    const isCurrent = link === this.core().supervisors.current;
    task.refusals = isCurrent ? task.refusals + 1 : 0;
    setTimeout(
      () => {
        if (this.byLaunch(link, launchId) === task && task.ending === undefined)
          launchAgain(this.core(), task);
      },
      isCurrent ? backOffMs(task.refusals) : 0,
    );
  }

  private async recordRecovered(task: LiveTask): Promise<void> {
    const core = this.core();
    const { task_id, launch_id } = task.record;
    if (launch_id === null || !this.inherited.delete(launch_id)) return;
    try {
      const events = await core.store.commits.write(() =>
        // It may have ended since: nothing follows the event of an end.
        task.ending === undefined
          ? core.store.appendEvents(task_id, [{ event_type: 'recovered', timestamp_ms: core.now() }])
          : [],
      );
      core.announcer.events(events);
    } catch (error) {
      this.inherited.add(launch_id);
      throw error;
    }
  }

  /** Tries again while this launch lasts: what is not written down by its end is written with that. */
  private async guard(task: LiveTask, action: () => Promise<void>): Promise<void> {
    const core = this.core();
    const { task_id, launch_id } = task.record;
    const lasts = () =>
      !core.store.commits.closed &&
      core.live.get(task_id) === task &&
      task.ending === undefined &&
      task.record.launch_id === launch_id;
    const what = 'cannot write down what a supervisor told';
    await retry(action, { log: core.log, what, about: { task_id }, lasts }).catch(() => undefined);
  }

  private byLaunch(link: SupervisorLink, launchId: number): LiveTask | undefined {
    const task = this.core().live.byLaunch(launchId);
    return task?.record.incarnation === link.incarnation ? task : undefined;
  }

  private taskOf(link: SupervisorLink, launch: { launch_id: number; token: string }): LiveTask | undefined {
    const task = this.byLaunch(link, launch.launch_id);
    return task?.record.launch_token === launch.token ? task : undefined;
  }

  private runningUnder(incarnation: string): LiveTask[] {
    return [...this.core().live.all()].filter(
      (t) => t.record.status === 'running' && t.record.incarnation === incarnation,
    );
  }
}
