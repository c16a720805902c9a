import type dns from 'node:dns';
import { expect, test } from 'vitest';
import { receiverOf, type Receiver } from '../../src/task/notify.js';
import { AllowList } from '../../src/webhook/allow-list.js';
import { Lookups } from '../../src/webhook/lookups.js';
import { post } from '../../src/webhook/post.js';
import { startReceiver } from '../harness/receiver.js';

const NEVER = new AbortController().signal;
type Done = (error: Error | null, found: dns.LookupAddress[]) => void;

/** A name server that answers when it is told to. */
class Names {
  /** Each name that it was asked for, with what answers it. */
  readonly asked: { name: string; done: Done }[] = [];
  readonly steady = { ms: 0 };
  readonly lookups = new Lookups({
    lookup: ((name: string, _options: object, done: Done) => this.asked.push({ name, done })) as never,
    steady: () => this.steady.ms,
  });

  get names(): string[] {
    return this.asked.map(({ name }) => name);
  }

  answer(n: number, address = '127.0.0.1'): void {
    this.asked[n]!.done(null, [{ address, family: 4 }]);
  }

  send(url: string, timeoutMs: number) {
    const receiver = receiverOf(url) as Receiver;
    const allowed = new AllowList(['a.example', 'b.example', '127.0.0.1']);
    const message = { url, receiver, headers: {}, body: '{"a":1}' };
    return post(message, { allowed, timeoutMs, signal: NEVER, lookups: this.lookups });
  }
}

test('there is one lookup at a time, and who asks for the same name shares it', async () => {
  const names = new Names();
  const all = ['a', 'b', 'a', 'c', 'b'].map((name) => names.lookups.find(name, NEVER));
  expect(names.names).toEqual(['a']);
  names.answer(0, '1.1.1.1');
  expect(names.names).toEqual(['a', 'b']);
  names.asked[1]!.done(new Error('no such host'), []);
  names.answer(2, '3.3.3.3');
  const settled = await Promise.allSettled(all);
  expect(settled.map((each) => (each.status === 'fulfilled' ? each.value[0]!.address : 'failed'))).toEqual([
    '1.1.1.1',
    'failed',
    '1.1.1.1',
    '3.3.3.3',
    'failed',
  ]);
  expect(names.names).toEqual(['a', 'b', 'c']);
});

test('a lookup that never ends is one, however many are sent; who waits behind it gives up in time', async () => {
  const names = new Names();
  const sent = Array.from({ length: 20 }, (_, i) =>
    names.send(i % 2 === 0 ? 'http://a.example/' : 'http://b.example/', 50),
  );
  for (const each of sent)
    await expect(each).rejects.toThrow('the name of the host was not looked up within 50 ms');
  await expect(names.send('http://b.example/', 50)).rejects.toThrow('was not looked up within 50 ms');
  expect(names.names).toEqual(['a.example']);
  // Who needs no lookup waits for none.
  const receiver = await startReceiver();
  expect(await names.send(receiver.url, 30_000)).toMatchObject({ status: 204 });
});

test('a name that nobody could wait for rests, so that others have their turn', async () => {
  const names = new Names();
  const receiver = await startReceiver();
  const { port } = new URL(receiver.url);
  await expect(names.send('http://a.example/', 20)).rejects.toThrow('was not looked up');
  const other = names.send(`http://b.example:${port}/`, 30_000);
  await expect(names.send('http://a.example/', 20)).rejects.toThrow(
    'could not be looked up in time, a moment ago',
  );
  names.answer(0);
  expect(names.names).toEqual(['a.example', 'b.example']);
  names.answer(1);
  expect(await other).toMatchObject({ status: 204 });
  names.steady.ms = 60_001;
  const again = names.send(`http://a.example:${port}/`, 30_000);
  await expect.poll(() => names.names).toEqual(['a.example', 'b.example', 'a.example']);
  names.answer(2);
  expect(await again).toMatchObject({ status: 204 });
});
