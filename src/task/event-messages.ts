import type { EventType, TaskEvent } from './events.js';
import { isPlainObject } from './plain-object.js';
import { progressText } from './progress-text.js';
import { RESOURCE_KEYS } from './resources.js';

/** What to call a resource after its number. */
const UNITS: Readonly<Record<(typeof RESOURCE_KEYS)[number], string>> = {
  task_slots: 'slots',
  cpu_millis: 'thousandths of a core',
  memory_bytes: 'bytes of memory',
  pids: 'processes',
  disk_bytes: 'bytes of disk',
};

/** The sentence for each type of event, used when there is nothing more specific. */
const SENTENCES: Readonly<Record<EventType, string>> = {
  submitted: 'task submitted',
  accepted: 'task accepted: it is written down and waits for room',
  planned: 'it is decided what will be enforced, and how',
  degraded: 'not all that was asked for can be enforced here',
  edited: 'task changed while it waits',
  eligible: 'other tasks keep this one from starting no more',
  resource_reserved: 'resources reserved',
  resource_released: 'resources released',
  started: 'task started',
  paused: 'task paused: all of its processes stop, and so does its wall time',
  resumed: 'task resumed',
  kill_requested: 'kill requested',
  timeout_triggered: 'wall time exceeded: the task is being ended',
  attempt_failed: 'attempt failed',
  retry_scheduled: 'task waits for its next attempt',
  finished: 'task succeeded',
  failed: 'task failed',
  cancelled: 'task cancelled',
  group_done: 'this was the last task of its group',
  retried: 'task run again',
  recovered: 'task found running after a restart of the daemon',
  command_added: 'command for the task',
  command_acknowledged: 'the task has read a command',
  command_finished: 'the task has carried out a command',
  commands_cancelled: 'the task has ended before it carried out',
  progress: 'the task says how far it is',
  task_event: 'the task says',
};

/**
 * An event in words, for people and for clients that show it: the message stored with it, or else one made from its type and
 * data. Events of the older runtime, and most of ours, are stored without a message.
 */
export function eventMessage({
  event_type,
  message,
  data,
}: Pick<TaskEvent, 'event_type' | 'message' | 'data'>): string {
  if (message !== null && message !== '') return message;
  const detail = detailOf(event_type, data);
  // An older database may hold unknown types.
  const sentence = Object.hasOwn(SENTENCES, event_type) ? SENTENCES[event_type] : event_type;
  return detail === undefined ? sentence : `${sentence}: ${detail}`;
}

/**
 * The data of an event as it is sent. Earlier versions stored a reservation as the only member of an object; it is sent
 * without that object.
 */
export function eventData({ event_type, data }: Pick<TaskEvent, 'event_type' | 'data'>): unknown {
  if (event_type !== 'resource_reserved' && event_type !== 'resource_released') return data;
  return isPlainObject(data) && 'reservation' in data ? data.reservation : data;
}

function detailOf(type: EventType, data: unknown): string | undefined {
  switch (type) {
    case 'command_added':
    case 'command_acknowledged':
    case 'command_finished':
      return isPlainObject(data) ? commandOf(data) : undefined;
    case 'commands_cancelled':
      return isPlainObject(data) ? textsOf(data['seqs'], ', ') : undefined;
    case 'task_event':
      return isPlainObject(data) && typeof data['name'] === 'string' ? data['name'] : undefined;
    case 'progress':
      return isPlainObject(data) ? progressText(data) : undefined;
    case 'degraded':
      return isPlainObject(data) ? textsOf(data['fallback_reasons']) : undefined;
    case 'edited':
      return isPlainObject(data) ? textsOf(data['fields'], ', ') : undefined;
    case 'group_done':
      return isPlainObject(data) ? groupOf(data) : undefined;
    case 'kill_requested':
      return isPlainObject(data) ? killNote(data) : undefined;
    case 'resource_reserved':
    case 'resource_released':
      return amountsOf(eventData({ event_type: type, data }));
    case 'retried':
      return isPlainObject(data) && typeof data['task_id'] === 'string' ? `as ${data['task_id']}` : undefined;
    case 'retry_scheduled':
      return isPlainObject(data) ? nextAttempt(data) : undefined;
    case 'started':
      return isPlainObject(data) && typeof data['pid'] === 'number' ? `process ${data['pid']}` : undefined;
    default:
      return undefined;
  }
}

function commandOf({ seq, type, status }: Record<string, unknown>): string | undefined {
  if (typeof seq !== 'number') return undefined;
  return `number ${seq}${typeof type === 'string' ? `, ${type}` : ''}${typeof status === 'string' ? `: ${status}` : ''}`;
}

function killNote({ reason, by }: Record<string, unknown>): string | undefined {
  const why = typeof reason === 'string' ? reason : undefined;
  const who = typeof by === 'string' ? `by ${by}` : undefined;
  return who === undefined || why === undefined ? (why ?? who) : `${why} (${who})`;
}

function nextAttempt({ attempt, delay_ms, memory_bytes }: Record<string, unknown>): string | undefined {
  if (typeof attempt !== 'number' || typeof delay_ms !== 'number') return undefined;
  const raised = typeof memory_bytes === 'number' ? ` with ${memory_bytes} bytes of memory` : '';
  return `number ${attempt}${raised}, in ${delay_ms} ms`;
}

function groupOf({ group, success, failed, cancelled }: Record<string, unknown>): string {
  return `${String(group)}, of which ${String(success)} succeeded, ${String(failed)} failed and ${String(cancelled)} were cancelled`;
}

function textsOf(value: unknown, between = '; '): string | undefined {
  return Array.isArray(value) && value.length > 0 ? value.map(String).join(between) : undefined;
}

function amountsOf(reservation: unknown): string | undefined {
  if (!isPlainObject(reservation)) return undefined;
  const amounts = RESOURCE_KEYS.flatMap((key) => {
    const amount = reservation[key];
    if (typeof amount !== 'number') return [];
    return [key === 'task_slots' && amount === 1 ? '1 slot' : `${amount} ${UNITS[key]}`];
  });
  const { resources, items } = reservation;
  for (const [name, amount] of Object.entries(isPlainObject(resources) ? resources : {})) {
    if (typeof amount !== 'number') continue;
    const own = isPlainObject(items) && Object.hasOwn(items, name) ? textsOf(items[name], ', ') : undefined;
    amounts.push(own === undefined ? `${amount} ${name}` : `${amount} ${name} (${own})`);
  }
  return amounts.length > 0 ? amounts.join(', ') : undefined;
}
