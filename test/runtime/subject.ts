import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { editTask } from '../../src/runtime/lifecycle/edit.js';
import { killTask } from '../../src/runtime/lifecycle/kill.js';
import { retryTask } from '../../src/runtime/lifecycle/rerun.js';
import { submit } from '../../src/runtime/lifecycle/submit.js';
import type { Condition } from '../../src/task/dependencies.js';
import { isTerminal } from '../../src/task/states.js';
import { FakeWorld } from '../executor/fake-world.js';
import { startRuntime, type RuntimeUnderTest } from '../executor/runtime.js';
import { tempDir } from '../harness/temp-dir.js';
import { waitFor } from '../harness/wait.js';

export const COMMAND = { kind: 'command', program: '/bin/true' } as const;

/** A runtime over places without processes, which can be left and come back. */
export class Subject {
  readonly dataDir = tempDir();
  readonly world = new FakeWorld();
  #runtime: RuntimeUnderTest | undefined;
  #nextId: string | undefined;

  constructor(private readonly slots: number) {
    for (const dir of ['tasks', 'supervisor', 'trash', 'sessions']) mkdirSync(`${this.dataDir}/${dir}`);
  }

  async start(): Promise<this> {
    this.#runtime = await startRuntime(this.dataDir, this.slots, (events) => this.world.open(events), {
      newId: () => this.#nextId ?? randomUUID(),
    });
    return this;
  }

  get core() {
    return this.#runtime!.core;
  }

  get intake() {
    return this.#runtime!.intake;
  }

  /** @param does what its attempts do, one after the other */
  send(task_id: string, after: unknown, more: object = {}, ...does: ('wait' | 'nothing')[]) {
    this.#will(task_id, does.length === 0 ? ['wait'] : does);
    return submit(this.core, this.intake, { task_id, execution: COMMAND, policy: { after }, ...more });
  }

  /** Runs a task again, under this id if it is made now. @param does as for {@link send} */
  rerun(id: string, newId: string, ...does: ('wait' | 'nothing')[]) {
    this.#will(newId, does);
    this.#nextId = newId;
    return retryTask(this.core, this.intake, id, { owner: undefined, again: false });
  }

  #will(id: string, does: readonly ('wait' | 'nothing')[]): void {
    this.world.works.set(
      id,
      does.map((each) => ({ does: each })),
    );
  }

  edit(id: string, body: object) {
    return editTask(this.core, this.intake, id, body, undefined);
  }

  async kill(id: string) {
    const task = this.core.live.get(id);
    if (task !== undefined) await killTask(this.core, task, { grace_ms: 0 });
  }

  /** Lets a task that runs succeed. */
  async finish(id: string) {
    const run = () => this.world.runsOf(id).at(-1)?.run;
    await waitFor(() => run()?.running !== undefined, { what: `the start of ${id}` });
    this.world.finish(run()!.attempt);
  }

  status(id: string) {
    return this.core.store.tasks.get(id)?.status;
  }

  async ends(id: string) {
    await waitFor(() => isTerminal(this.status(id)!) && this.core.live.get(id) === undefined, {
      what: `the end of ${id}`,
    });
    return this.core.store.tasks.get(id);
  }

  types(id: string) {
    return this.core.store.events.ofTask(id, 0, undefined).map((e) => e.event_type);
  }

  /** Goes away in the middle of whatever is under way, and comes back. */
  async restart() {
    await this.leave();
    await this.start();
  }

  async leave() {
    await this.#runtime!.leave();
  }
}

export async function subject({ slots = 100 } = {}): Promise<Subject> {
  const made = await new Subject(slots).start();
  onTestFinished(async () => {
    await made.leave();
    made.world.remove();
  });
  return made;
}

export const success = (...ids: string[]): Condition[] =>
  ids.map((task_id) => ({ task_id, when: 'success' }));
