import type { Condition } from '../../src/task/dependencies.js';

/** A task waits for others, waits for somebody or for a time, waits for room, runs, or has ended. */
export type Fate = 'blocked' | 'kept' | 'ready' | 'running' | 'success' | 'failed' | 'cancelled';

/** What was asked for with a task. */
export interface Asked {
  after: Condition[];
  /** It runs until somebody lets it end; else it fails at once. */
  works: boolean;
  /** With a key, of which one runs at a time. */
  keyed: boolean;
  /** In the queue that is paused and resumed. */
  queued: boolean;
  /** Its first attempt fails; another follows at once, in a moment, or only long after the test. */
  retried: 'no' | 'at once' | 'soon' | 'late';
  held: boolean;
  /** When it may start: whenever, in a moment, or only long after the test. */
  starts: 'whenever' | 'soon' | 'late';
}

export interface Told extends Asked {
  fate: Fate;
  /** Its first attempt has failed, and the next one comes long after the test. */
  isBackedOff: boolean;
  /** The task that has come in its place. */
  again?: string;
}

const LIVE: readonly Fate[] = ['blocked', 'kept', 'ready', 'running'];
export const WAITING: readonly Fate[] = ['blocked', 'kept', 'ready'];
export const ENDED: readonly Fate[] = ['success', 'failed', 'cancelled'];

/** What must become of each task, said plainly: all anew from what was asked for. What comes in a moment has come. */
export class Reference {
  readonly tasks = new Map<string, Told>();
  /** Those that are not in the database any more. */
  readonly deleted = new Set<string>();
  isPaused = false;

  add(id: string, asked: Asked): void {
    this.tasks.set(id, { ...asked, fate: 'blocked', isBackedOff: false });
  }

  ids(...fates: readonly Fate[]): string[] {
    return [...this.tasks]
      .filter(([id, t]) => !this.deleted.has(id) && fates.includes(t.fate))
      .map(([id]) => id);
  }

  /** As far as it follows from what is known. */
  settle(): void {
    for (let changed = true; changed;) {
      changed = false;
      for (const task of this.tasks.values()) {
        if (!WAITING.includes(task.fate)) continue;
        const { fate, isBackedOff } = task;
        task.fate = this.#fateOf(task);
        if (task.fate === 'ready' && !task.keyed && !this.#isHeldUp(task)) this.#start(task);
        changed ||= task.fate !== fate || task.isBackedOff !== isBackedOff;
      }
    }
  }

  /** Those of which one starts, whichever: none while one runs. */
  contenders(): string[] {
    if (this.ids('running').some((id) => this.tasks.get(id)!.keyed)) return [];
    return this.ids('ready').filter((id) => {
      const task = this.tasks.get(id)!;
      return task.keyed && !this.#isHeldUp(task);
    });
  }

  /** Why one that waits for others, for somebody or for a time may not start. */
  reasonOf(id: string): 'held' | 'dependency' | 'start_at' | 'retry_backoff' {
    const { held, fate, starts } = this.tasks.get(id)!;
    if (held) return 'held';
    if (fate === 'blocked') return 'dependency';
    return starts === 'late' ? 'start_at' : 'retry_backoff';
  }

  /** True when `from` would wait for itself. */
  isCycle(from: string, after: readonly Condition[], seen = new Set<string>()): boolean {
    return after.some((condition) => {
      if (condition.task_id === from) return true;
      if (seen.has(condition.task_id) || this.#state(condition) !== 'open') return false;
      seen.add(condition.task_id);
      return this.isCycle(from, this.tasks.get(condition.task_id)!.after, seen);
    });
  }

  /** What a task that is run again starts after; undefined where that cannot be. */
  afterAgain(id: string): Condition[] | undefined {
    const found = new Map<string, Condition>();
    for (const { task_id, when } of this.tasks.get(id)!.after) {
      let latest: string = task_id;
      for (let next: string | undefined = task_id; next !== undefined;) {
        latest = next;
        if (this.#state({ task_id: latest, when }) !== 'never' || this.deleted.has(latest)) break;
        next = this.tasks.get(latest)!.again;
      }
      if (this.#state({ task_id: latest, when }) === 'never') return undefined;
      found.set(`${when} ${latest}`, { task_id: latest, when });
    }
    return [...found.values()];
  }

  #fateOf({ after, held, starts, isBackedOff }: Told): Fate {
    const states = after.map((condition) => this.#state(condition));
    if (states.includes('never')) return 'cancelled';
    if (states.includes('open')) return 'blocked';
    return held || starts === 'late' || isBackedOff ? 'kept' : 'ready';
  }

  #start(task: Told): void {
    if (task.retried === 'late') Object.assign(task, { isBackedOff: true, fate: 'kept' });
    else task.fate = task.works ? 'running' : 'failed';
  }

  #isHeldUp({ queued }: Told): boolean {
    return queued && this.isPaused;
  }

  #state({ task_id, when }: Condition): 'holds' | 'open' | 'never' {
    const { fate } = this.tasks.get(task_id)!;
    if (LIVE.includes(fate)) return 'open';
    return when === 'end' || (when === 'success') === (fate === 'success') ? 'holds' : 'never';
  }
}
