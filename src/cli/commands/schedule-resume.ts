import { editNamed } from '../schedule-turn.js';

/** `execgo schedule resume`: submits its tasks again. */
export function main(argv: readonly string[]): Promise<number> {
  return editNamed(
    argv,
    'schedule resume',
    'Submits the tasks of a schedule again, from its next due time on.',
    { paused: false },
  );
}
