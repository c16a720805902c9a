import type { Libc } from './libc.js';
import { LibcSpawn } from './libc-spawn.js';
import type { Program, SpawnResult } from './libc-spawn.js';
import { OomScore } from './oom-score.js';
import type { UnfinishedSpawn } from './orphans.js';

/** Up to this many descriptors for tasks, all descriptors of this process are below the limit that tasks get, 1024. */
const MAX_DESCRIPTORS = 768;

/**
 * Spawns on other threads while this process can have the limits that are meant for tasks. It cannot while very many
 * descriptors are open, or while it is protected from the out-of-memory killer: then each spawn is made on this thread, one
 * at a time, with the task's limits set during the call.
 */
export class Spawner {
  readonly #spawn = new LibcSpawn();
  readonly #oomScore = new OomScore();
  readonly #underWay = new Set<Promise<unknown>>();
  #hasOwnLimit = false;

  constructor(private readonly libc: Libc) {
    libc.limitFiles('task');
  }

  /**
   * @param descriptors how many are open here for all tasks, including this one.
   * @param unfinished gets the place of the pid, if that is known before this returns
   * @returns once the program is reached, or known not to be.
   */
  async spawn(program: Program, descriptors: number, unfinished: UnfinishedSpawn): Promise<SpawnResult> {
    const isCrowded = descriptors > MAX_DESCRIPTORS;
    if (isCrowded || this.#oomScore.isSet) return this.#alone(program, isCrowded);
    this.#limitFiles('task');
    const spawn = this.#spawn.onThread(program, unfinished);
    this.#underWay.add(spawn);
    try {
      return await spawn;
    } finally {
      this.#underWay.delete(spawn);
    }
  }

  async #alone(program: Program, isCrowded: boolean): Promise<SpawnResult> {
    // With thousands of spawns at once, other work of this process must still have its turn.
    await new Promise(setImmediate);
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
    return this.#spawn.now(program, (spawn) => {
      this.#limitFiles('task');
      try {
        return this.#oomScore.without(spawn);
      } finally {
        if (isCrowded) this.#limitFiles('own');
      }
    });
  }

  #limitFiles(whose: 'own' | 'task'): void {
    const own = whose === 'own';
    if (own !== this.#hasOwnLimit) this.libc.limitFiles(whose);
    this.#hasOwnLimit = own;
  }
}
