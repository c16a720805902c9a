import type { NewEvent } from '../../task/events.js';

/** @param atMs Unix time */
export function killEvent(atMs: number): NewEvent {
  return { event_type: 'kill_requested', timestamp_ms: atMs };
}
