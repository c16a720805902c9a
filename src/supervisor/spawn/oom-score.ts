import { readFileSync, writeFileSync } from 'node:fs';

const OOM_SCORE = '/proc/self/oom_score_adj';

/**
 * Protection from the kernel's out-of-memory killer is for the supervisor, not for tasks, which take over what holds at
 * their spawn. A process may always return to the score that it was started with.
 */
export class OomScore {
  readonly #own = ownScore();

  /** True where tasks must not take over this process's own. */
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

function ownScore(): string {
  try {
    return readFileSync(OOM_SCORE, 'utf8').trim();
  } catch {
    return '0';
  }
}

function setScore(score: string): void {
  try {
    writeFileSync(OOM_SCORE, score);
  } catch {
    // A /proc that may not be written to.
  }
}
