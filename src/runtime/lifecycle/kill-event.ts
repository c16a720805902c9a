import type { NewEvent } from '../../task/events.js';
import type { KillNote } from '../../task/kill-note.js';

/** @param atMs Unix time. @param note who asked and why, where that was said */
export function killEvent(atMs: number, note: KillNote | undefined): NewEvent {
  return { event_type: 'kill_requested', timestamp_ms: atMs, data: note };
}

/** What is kept of a kill; undefined when nothing was said. @param owner value of `x-execgo-owner` */
export function killNoteOf(owner: string | undefined, reason: string | undefined): KillNote | undefined {
  const by = owner === '' ? undefined : owner;
  return reason === undefined && by === undefined ? undefined : { reason, by };
}
