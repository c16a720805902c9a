import { describe, expect, test } from 'vitest';
import { eventData, eventMessage } from '../../src/task/event-messages.js';
import { EVENT_TYPES } from '../../src/task/events.js';

describe('what an event says', () => {
  test.each(EVENT_TYPES)('%s has words whatever was stored with it', (event_type) => {
    for (const message of [null, ''])
      for (const data of [
        null,
        undefined,
        [],
        'text',
        7,
        {},
        { reservation: null, pid: '1', fallback_reasons: 1 },
      ])
        expect(eventMessage({ event_type, message, data })).toMatch(/^\S.*\S$/);
    expect(eventMessage({ event_type, message: 'its own', data: null })).toBe('its own');
  });

  test('a reservation is told by itself, in words and as data, in whichever form it was stored', () => {
    const reservation = { task_slots: 2, cpu_millis: 500, memory_bytes: 1024, pids: 7 };
    for (const event_type of ['resource_reserved', 'resource_released'] as const)
      for (const data of [reservation, { reservation }]) {
        expect(eventData({ event_type, data })).toEqual(reservation);
        expect(eventMessage({ event_type, message: null, data })).toContain(
          ': 2 slots, 500 thousandths of a core, 1024 bytes of memory, 7 processes',
        );
      }
  });

  test('the data of other events is told as it was stored', () => {
    for (const data of [null, { reservation: 1 }, 'text'])
      expect(eventData({ event_type: 'planned', data })).toEqual(data);
  });

  test('what is given up is named', () => {
    const data = { fallback_reasons: ['no pids', 'no memory'] };
    expect(eventMessage({ event_type: 'degraded', message: null, data })).toContain(': no pids; no memory');
  });
});
