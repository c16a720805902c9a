import { editNamed } from '../schedule-turn.js';

/** `execgo schedule pause`: submits none of its tasks until it is resumed. */
export function main(argv: readonly string[]): Promise<number> {
  return editNamed(
    argv,
    'schedule pause',
    'Submits no task of a schedule any more: due times that come meanwhile do not count. Its tasks go on.',
    { paused: true },
  );
}
