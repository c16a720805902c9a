/** A task with this metadata key set to `true` is not collected. */
const PIN_KEY = 'execgo.pin';

/** True for a task that garbage collection must leave alone. */
export function isPinned(metadata: Readonly<Record<string, string>>): boolean {
  return Object.hasOwn(metadata, PIN_KEY) && metadata[PIN_KEY] === 'true';
}
