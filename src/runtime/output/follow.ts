import fs from 'node:fs';
import { inTaskDir } from '../files/task-files.js';
import { logName, tailName } from '../../task/task-paths.js';
import { producedBytes } from './snapshot.js';
import type { OutputSource } from './source.js';

/** For file systems that do not report changes. */
const POLL_MS = 1_000;

/**
 * Tells when a stream has grown, with one watch of its directory for as long as somebody follows it. It does not notice the
 * end of the task; the caller that does calls {@link wake}.
 */
export class GrowthWatch {
  readonly #source: OutputSource;
  readonly #watcher: fs.FSWatcher | undefined;
  readonly #timer: NodeJS.Timeout;
  /** Checks the files for the caller that waits; undefined while nobody does. */
  #look: (() => void) | undefined;
  #woken = false;

  constructor(source: OutputSource) {
    this.#source = source;
    const changed = (): void => this.#look?.();
    this.#watcher = watchBoth(source, changed);
    this.#timer = setInterval(changed, POLL_MS);
  }

  /** Resolves when the stream has bytes past `offset`, or {@link wake} is or was called. For one caller at a time. */
  growth(offset: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        try {
          if (!this.#woken && producedBytes(this.#source) <= offset) return;
          resolve();
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
        this.#look = undefined;
      };
      this.#look = look;
      look();
    });
  }

  /** Lets the caller that waits go on, now and always: the task has ended, or nobody follows it any more. */
  wake(): void {
    this.#woken = true;
    this.#look?.();
  }

  close(): void {
    this.wake();
    this.#watcher?.close();
    clearInterval(this.#timer);
  }
}

/** Watches the directory rather than the files, which may not exist yet. Undefined when it cannot be watched. */
function watchBoth(source: OutputSource, changed: () => void): fs.FSWatcher | undefined {
  const names = new Set([logName(source.stream, source.attempt), tailName(source.stream, source.attempt)]);
  try {
    const watcher = inTaskDir(source.dataDir, source.taskId, (directory) =>
      fs.watch(directory.entry(), (_event, name) => {
        if (name === null || names.has(name)) changed();
      }),
    );
    watcher.on('error', () => {
      watcher.close();
    });
    return watcher;
  } catch {
    return undefined;
  }
}
