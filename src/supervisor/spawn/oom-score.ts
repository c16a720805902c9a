import { writeFileSync } from 'node:fs';
import { readText } from '../../files/read-text.js';

const OOM_SCORE = '/proc/self/oom_score_adj';

/**
 * The supervisor may be protected from the kernel's out-of-memory killer; tasks, which inherit that score when they are
 * spawned, must not be. A process may always return to the score that it was started with.
 */
export class OomScore {
  readonly #own = (readText(OOM_SCORE) ?? '0').trim();

  /** True when tasks must not inherit this process's score. */
  get isSet(): boolean {
    return this.#own !== '0';
  }

  /** Runs `action` with a score of 0. */
  without<T>(action: () => T): T {
    if (!this.isSet) return action();
    setScore('0');
    try {
      return action();
    } finally {
      setScore(this.#own);
    }
  }
}

function setScore(score: string): void {
  try {
    writeFileSync(OOM_SCORE, score);
  } catch {
    // /proc is read-only.
  }
}
