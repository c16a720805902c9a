import path from 'node:path';
import type { Outcome, Running, SupervisorMessage } from '../supervisor/protocol.js';
import { SUPERVISOR_FILES } from '../supervisor/protocol.js';
import { readJournal, summariseJournal, type LaunchHistory } from '../supervisor/journal.js';
import { CANCELLED, LOST } from './classify.js';
import { completeFromOutcome, completeWithout } from './complete.js';
import type { Core } from './core.js';
import { pump, relaunch } from './dispatch.js';
import { killRemains } from './kill-remains.js';
import { launchName } from './launch-spec.js';
import type { LiveTask } from './live-tasks.js';
import { recordStarted, recordTimeout } from './started.js';
import type { SupervisorLink } from './supervisor-link.js';
import type { SupervisorEvents } from './supervisors.js';
import { tellKill, tellLaunch } from './tell-supervisor.js';

/**
 * What the daemon does with what supervisors say, and with what one that died has left behind. Tasks that an earlier
 * daemon started and that still run get a `recovered` event once.
 */
export class Supervision implements SupervisorEvents {
  /** Launches that the supervisor told of since it was last connected. */
  private readonly told = new Map<SupervisorLink, Set<number>>();
  /** Ids of the tasks that were running when this daemon started and were not seen since. */
  private readonly inherited = new Set<string>();
  /** Launches that never began and wait for a supervisor that accepts them. */
  private readonly unbegun = new Set<LiveTask>();

  constructor(
    private readonly core: () => Core,
    private readonly bootId: string,
  ) {}

  /** Call once the live tasks are loaded, before any supervisor is connected. */
  inherit(): void {
    for (const { record } of this.core().live.all())
      if (record.status === 'running') this.inherited.add(record.task_id);
  }

  connected(link: SupervisorLink): void {
    this.told.set(link, new Set());
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

  listed(link: SupervisorLink): void {
    const core = this.core();
    const told = this.told.get(link);
    this.told.delete(link);
    for (const task of this.runningUnder(link.incarnation)) {
      const began = told?.has(task.record.launch_id ?? 0) === true;
      if (task.ending) continue;
      if (began && task.kill !== undefined) tellKill(core, task);
      if (!began && task.kill !== undefined) void completeWithout(core, task, CANCELLED);
      if (!began && task.kill === undefined) tellLaunch(core, task);
    }
  }

  ready(): void {
    for (const task of this.unbegun) {
      this.unbegun.delete(task);
      this.relaunch(task);
    }
    pump(this.core());
  }

  async died(link: SupervisorLink): Promise<void> {
    this.told.delete(link);
    const sameBoot = link.identity.boot_id === this.bootId;
    const journal = readJournal(path.join(link.dir, SUPERVISOR_FILES.journal));
    if (journal.damage !== undefined)
      this.core().log.error(
        { incarnation: link.incarnation, damage: journal.damage, intact_records: journal.records.length },
        'the journal of a supervisor is damaged: what is intact is used, tasks whose end it does not tell are lost',
      );
    const histories = summariseJournal(journal.records);
    await Promise.all(
      this.runningUnder(link.incarnation).map((task) =>
        this.settleWithout(
          task,
          histories.get(task.record.launch_id ?? -1),
          sameBoot,
          journal.damage !== undefined,
        ),
      ),
    );
  }

  private async settleWithout(
    task: LiveTask,
    history: LaunchHistory | undefined,
    sameBoot: boolean,
    damaged: boolean,
  ): Promise<void> {
    const core = this.core();
    const { record } = task;
    const outcome = history?.token === record.launch_token ? history.outcome : undefined;
    if (outcome !== undefined) {
      await completeFromOutcome(core, task, outcome);
      return;
    }
    const began = history !== undefined || record.started_at_ms !== null || damaged;
    if (!began && sameBoot) {
      this.unbegun.add(task);
      return;
    }
    if (sameBoot) {
      const name = launchName(record.incarnation ?? '', record.launch_id ?? 0);
      const survivors = await killRemains(core.settings.cgroupLayout, name, record.launch_token ?? '', {
        boot_id: this.bootId,
        pid: history?.started?.pid ?? record.pid ?? 0,
        start_ticks: history?.started?.start_ticks ?? record.start_ticks ?? 0,
      });
      if (survivors.length > 0)
        core.log.error({ task_id: record.task_id, survivors }, 'processes of a lost task cannot be killed');
    }
    if (history?.started !== undefined) await recordStarted(core, task, history.started);
    await completeWithout(core, task, LOST);
  }

  private onRunning(link: SupervisorLink, launch: Running): void {
    this.told.get(link)?.add(launch.launch_id);
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
      if (this.inherited.delete(task.record.task_id)) await this.recordRecovered(task);
    });
  }

  private onTimeout(link: SupervisorLink, launchId: number, atMs: number): void {
    const task = this.byLaunch(link, launchId);
    if (task === undefined) return;
    void this.guard(task, () => recordTimeout(this.core(), task, launchId, atMs));
  }

  private async onOutcome(link: SupervisorLink, outcome: Outcome): Promise<void> {
    this.told.get(link)?.add(outcome.launch_id);
    const task = this.taskOf(link, outcome);
    if (task?.ending === true) return;
    if (task !== undefined) await completeFromOutcome(this.core(), task, outcome);
    link.send({ type: 'ack', launch_ids: [outcome.launch_id] });
  }

  private onRefused(link: SupervisorLink, launchId: number, reason: string): void {
    const task = this.byLaunch(link, launchId);
    this.core().log.warn({ launch_id: launchId, reason }, 'a supervisor refused a launch');
    if (task !== undefined) this.relaunch(task);
  }

  private relaunch(task: LiveTask): void {
    void this.guard(task, async () => {
      await relaunch(this.core(), task);
    });
  }

  private async recordRecovered({ record }: LiveTask): Promise<void> {
    const core = this.core();
    const events = await core.store.commits.write(() =>
      core.store.appendEvents(record.task_id, [{ event_type: 'recovered', timestamp_ms: core.now() }]),
    );
    core.announcer.events(events);
  }

  /** What a supervisor tells stays true and is told again; a row that cannot be written now is written with the end. */
  private async guard(task: LiveTask, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.core().log.error(
        { err: error, task_id: task.record.task_id },
        'cannot write down what a supervisor told',
      );
    }
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
