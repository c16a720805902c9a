import type { NewEvent } from '../../task/events.js';
import type { KeptProgress } from '../../task/progress.js';

export function progressEvent({ at_ms, ...data }: KeptProgress): NewEvent {
  return { event_type: 'progress', timestamp_ms: at_ms, data };
}
