import type { Libc } from './libc.js';
import { LibcSpawn } from './libc-spawn.js';
import type { Program, SpawnResult } from './libc-spawn.js';
import { OomScore } from './oom-score.js';

/** Descriptors of tasks up to which those of the process itself fit below the limit that tasks get, 1024. */
const MAX_DESCRIPTORS = 768;

/**
 * Spawns on other threads as long as this process can have the limits that are for tasks. With very many descriptors open,
 * or protected from the out-of-memory killer, it cannot: then each spawn is made on this thread, alone, with the task's
 * limits around it.
 */
export class Spawner {
  readonly #libc: Libc;
  readonly #spawn = new LibcSpawn();
  readonly #oomScore = new OomScore();
  readonly #underWay = new Set<Promise<unknown>>();
  #hasOwnLimit = false;

  constructor(libc: Libc) {
    this.#libc = libc;
    libc.limitFiles('task');
  }

  /**
   * @param descriptors how many are open here for all tasks, this one included.
   * @returns once the program is reached or known not to be.
   */
  async spawn(program: Program, descriptors: number): Promise<SpawnResult> {
    const isCrowded = descriptors > MAX_DESCRIPTORS;
    if (isCrowded || this.#oomScore.isSet) return this.#alone(program, isCrowded);
    this.#limitFiles('task');
    const spawn = this.#spawn.onThread(program);
    this.#underWay.add(spawn);
    try {
      return await spawn;
    } finally {
      this.#underWay.delete(spawn);
    }
  }

  async #alone(program: Program, isCrowded: boolean): Promise<SpawnResult> {
    // Launches that come in thousands must not keep all else in this process waiting.
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
    if (own !== this.#hasOwnLimit) this.#libc.limitFiles(whose);
    this.#hasOwnLimit = own;
  }
}
