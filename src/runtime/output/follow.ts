import fs from 'node:fs';
import path from 'node:path';
import { producedBytes } from './snapshot.js';
import type { OutputSource } from './source.js';

/** A safety net for file systems that report no changes. */
const POLL_MS = 1_000;

/**
 * Resolves when the stream has bytes past `offset`. Nothing stays open afterwards. That a task has ended is not seen
 * here: the caller aborts.
 * @throws the signal's reason when it aborts; a system error when a file that exists cannot be read
 */
export function waitForGrowth(source: OutputSource, offset: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(asError(signal.reason));
      return;
    }
    const end = (settle: () => void): void => {
      watcher?.close();
      clearInterval(timer);
      signal.removeEventListener('abort', onAbort);
      settle();
    };
    const look = (): void => {
      try {
        if (producedBytes(source) > offset) end(resolve);
      } catch (error) {
        end(() => {
          reject(asError(error));
        });
      }
    };
    const onAbort = (): void => {
      end(() => {
        reject(asError(signal.reason));
      });
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const timer = setInterval(look, POLL_MS);
    const watcher = watchBoth(source, look);
    look();
  });
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error('waiting was ended', { cause: thrown });
}

/** Watches the directory rather than the files, because they may not be there yet. Undefined when that cannot be. */
function watchBoth(source: OutputSource, changed: () => void): fs.FSWatcher | undefined {
  const names = new Set([path.basename(source.path), path.basename(source.tailPath)]);
  try {
    const watcher = fs.watch(path.dirname(source.path), (_event, name) => {
      if (name === null || names.has(name)) changed();
    });
    watcher.on('error', () => {
      watcher.close();
    });
    return watcher;
  } catch {
    return undefined;
  }
}
