import { createServer, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { LineChannel, MAX_LINE_BYTES } from '../../src/supervisor/wire/line-channel.js';
import { tempDir, waitFor } from '../harness/index.js';

const MIB = 1_048_576;

/** Two ends of a connection; `far` reads nothing until it is told to. */
async function pair(): Promise<{ near: Socket; far: Socket }> {
  const path = join(tempDir(), 's');
  let far: Socket | undefined;
  const server = createServer((socket) => (far = socket.pause()));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const near = connect(path);
  await waitFor(() => far);
  onTestFinished(() => {
    near.destroy();
    far?.destroy();
    server.close();
  });
  return { near, far: far! };
}

function listen(socket: Socket) {
  const heard = {
    messages: [] as Record<string, unknown>[],
    garbled: [] as string[],
    closed: [] as string[],
  };
  const channel = new LineChannel(socket, {
    message: (message) => heard.messages.push(message as Record<string, unknown>),
    garbled: (reason) => heard.garbled.push(reason),
    closed: (reason) => heard.closed.push(reason),
  });
  return { ...heard, channel };
}

test('any amount is made as the other side reads; what is small goes first, but not before what it is about', async () => {
  const { near, far } = await pair();
  const { channel, closed } = listen(near);
  let made = 0;
  for (let id = 0; id < 60; id++)
    channel.sendLater({
      topic: id,
      encode: () => {
        made++;
        return id === 30 ? undefined : `${JSON.stringify({ id, text: 'x'.repeat(MIB) })}\n`;
      },
    });
  await waitFor(() => made > 0);
  channel.send({ kill: 59 }, 59);
  channel.send({ kill: 'running' }, 1000);
  channel.send({ ack: 1 });
  await new Promise((resolve) => setImmediate(resolve));
  expect(made).toBeLessThan(5);
  const { messages } = listen(far);
  far.resume();
  await waitFor(() => messages.length === 62);
  const at = (key: string, value: unknown) => messages.findIndex((message) => message[key] === value);
  expect(messages.flatMap((m) => m['id'] ?? [])).toEqual(
    Array.from({ length: 60 }, (_, id) => id).filter((id) => id !== 30),
  );
  expect(at('kill', 59)).toBeGreaterThan(at('id', 59));
  expect(at('kill', 'running')).toBeLessThan(10);
  expect(at('ack', 1)).toBeLessThan(10);
  expect(closed).toEqual([]);
});

test('who never reads is dropped once enough was kept for it', async () => {
  const { near } = await pair();
  const { channel, closed } = listen(near);
  const text = 'x'.repeat(MIB);
  let sent = 0;
  await waitFor(() => {
    if (channel.isOpen) channel.send({ number: ++sent, text });
    return closed.length > 0;
  });
  expect(closed).toEqual(['the other side does not read']);
  expect(sent).toBeGreaterThan(32);
});

test('a line that is not understood is dropped, and those after it are', async () => {
  const { near, far } = await pair();
  const { messages, garbled, closed } = listen(near);
  far.write('{"a":1}\nnonsense\n{"a":2}\n');
  far.write('x'.repeat(MAX_LINE_BYTES + 1));
  far.write('x\n{"a":3}\n');
  await waitFor(() => messages.length === 3);
  expect(messages).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }]);
  expect(garbled).toEqual(['a message is not JSON', 'a message is too long']);
  expect(closed).toEqual([]);
});
