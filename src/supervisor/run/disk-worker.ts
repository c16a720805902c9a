import { setImmediate as nextTurn } from 'node:timers/promises';
import { answerQuestions } from '../../binary/asked-thread.js';
import { withDirectory, type Directory } from '../../files/directory.js';
import { errnoOf } from '../../files/errno.js';
import type { DiskSpec } from '../wire/protocol.js';
import { spaceOf } from './tree-space.js';

/** What was found of a workspace; no more is looked at once it is too much. */
export interface Space {
  bytes: number;
  /** It is too deep to be measured. */
  too_deep?: true | undefined;
}

/** After so long others have their turn, in milliseconds. */
const TURN_MS = 5;

answerQuestions(async ({ dir, names, max_bytes }: DiskSpec): Promise<Space> => {
  const root = opened(dir, names);
  if (root === undefined) return { bytes: 0 };
  const pieces = spaceOf(root);
  try {
    let bytes = 0;
    let until = performance.now() + TURN_MS;
    for (let next = pieces.next(); ; next = pieces.next()) {
      if (next.done === true)
        return next.value ? { bytes: Math.round(bytes) } : { bytes: Math.round(bytes), too_deep: true };
      bytes += next.value;
      if (bytes > max_bytes) return { bytes: Math.ceil(bytes) };
      if (performance.now() < until) continue;
      await nextTurn();
      until = performance.now() + TURN_MS;
    }
  } finally {
    pieces.return(true);
    root.close();
  }
});

/** Undefined when it has gone, or something else is in its place. */
function opened(dir: string, names: readonly string[]): Directory | undefined {
  try {
    return withDirectory(dir, names, (directory) => directory.duplicate());
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}
