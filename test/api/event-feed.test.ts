import { expect, test, vi } from 'vitest';
import { EventFeed } from '../../src/api/event-feed.js';
import { FakeService } from './fake-service.js';

function feed(): { service: FakeService; feed: EventFeed; events: ReturnType<typeof vi.spyOn> } {
  const service = new FakeService();
  return { service, feed: new EventFeed(service), events: vi.spyOn(service, 'events') };
}

const never = () => new AbortController().signal;

test('all who wait for the same event share one reading and its text', async () => {
  const { service, feed: all, events } = feed();
  const waiting = [1, 2, 3].map(() => all.after(0, never()));
  await expect.poll(() => service.waiting).toBe(1);
  service.happen('a');
  const pages = await Promise.all(waiting);
  expect(new Set(pages.map(({ text }) => text)).size).toBe(1);
  expect(pages[0]).toMatchObject({ lastSeq: 1 });
  expect(pages[0]!.text.toString()).toMatch(/^id: 1\ndata: \{"seq":1,.*\}\n\n$/);
  // One who comes later gets it, too.
  expect((await all.after(0, never())).text).toBe(pages[0]!.text);
  expect(events).toHaveBeenCalledTimes(1);
});

test('readers at different places get what is theirs', async () => {
  const { service, feed: all } = feed();
  for (const id of ['a', 'b', 'c']) service.happen(id);
  const ids = async (afterSeq: number) =>
    [...(await all.after(afterSeq, never())).text.toString().matchAll(/^id: (\d+)$/gm)].map(([, id]) => id);
  expect(await ids(0)).toEqual(['1', '2', '3']);
  expect(await ids(1)).toEqual(['2', '3']);
  expect(await ids(2)).toEqual(['3']);
});

test('a reader that goes ends the wait only when it is the last', async () => {
  const { service, feed: all } = feed();
  const [first, second] = [new AbortController(), new AbortController()];
  const pages = [all.after(0, first.signal), all.after(0, second.signal)];
  await expect.poll(() => service.waiting).toBe(1);
  first.abort();
  await expect(pages[0]).rejects.toThrow();
  expect(service.waiting).toBe(1);
  second.abort();
  await expect(pages[1]).rejects.toThrow();
  await expect.poll(() => service.waiting).toBe(0);
  // Who comes then does not get the failure of those who went.
  service.happen('a');
  expect((await all.after(0, never())).lastSeq).toBe(1);
});

test('a failure is told to those who wait, and the next one reads again', async () => {
  const { service, feed: all, events } = feed();
  events.mockRejectedValueOnce(new Error('disk'));
  await expect(all.after(0, never())).rejects.toThrow('disk');
  service.happen('a');
  expect((await all.after(0, never())).lastSeq).toBe(1);
});

test('what is kept of a long replay is bounded', async () => {
  const { service, feed: all, events } = feed();
  for (let i = 0; i < 40; i++) service.happen(`task-${i}`);
  for (let seq = 0; seq < 40; seq++) await all.after(seq, never());
  events.mockClear();
  await all.after(39, never());
  expect(events).not.toHaveBeenCalled();
  await all.after(0, never());
  expect(events).toHaveBeenCalledTimes(1);
});
