import { randomUUID } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';

/**
 * The folder with one socket for each process that wants the lock; relative to the checkout, because a socket's path must be
 * short.
 */
const FOLDER = '.setup-lock';
/** Suffix of a socket that does not listen yet. */
const UNFINISHED = '.new';

/**
 * Lets one process at a time set up the checkout that is the working directory. Only its owner can take or hold the lock:
 * the sockets are in a folder of the checkout that is closed to others.
 *
 * Each process listens on a socket of its own and then looks at the others: a process that sees no other alive one has the
 * lock. Of two that see each other, the one with the higher name steps back. A name is never used twice, so that the socket
 * of a process that was killed can be recognized and removed.
 * @param waits called once when another process is in the way
 * @returns a function that gives the lock back
 * @throws a system error when the folder cannot be used
 */
export async function lockCheckout(waits) {
  let told = false;
  for (;;) {
    const own = await announce();
    for (;;) {
      const others = await livingOthers(own.name);
      if (others.length === 0) return own.close;
      if (!told) waits();
      told = true;
      const before = others.filter(({ name }) => name < own.name);
      if (before.length > 0) own.close();
      // A process that was there before this one has the lock or is next; one that came later steps back by itself.
      await Promise.race((before.length > 0 ? before : others).map(({ gone }) => gone));
      for (const { forget } of others) forget();
      if (before.length > 0) break;
    }
  }
}

/** Listens under a temporary name, and renames the socket when it listens: under its final name it always answers. */
async function announce() {
  const name = randomUUID();
  const waiting = new Set();
  const server = createServer((socket) => {
    waiting.add(socket.on('error', () => undefined).unref());
  });
  for (;;) {
    mkdirSync(FOLDER, { recursive: true, mode: 0o700 });
    try {
      await listen(server, `${FOLDER}/${name}${UNFINISHED}`);
      renameSync(`${FOLDER}/${name}${UNFINISHED}`, `${FOLDER}/${name}`);
      break;
    } catch (error) {
      // A process that has just finished removes the folder; Node then reports EACCES for listening in it.
      if (error.code !== 'ENOENT' && error.code !== 'EACCES') throw error;
      if (existsSync(FOLDER)) accessSync(FOLDER, constants.W_OK);
    }
  }
  const close = () => {
    rmSync(`${FOLDER}/${name}`, { force: true });
    server.close();
    // The end of this connection tells the others that the lock is free.
    for (const socket of waiting) socket.destroy();
    try {
      rmdirSync(FOLDER);
    } catch {
      // The folder holds sockets of other processes.
    }
  };
  return { name, close };
}

const listen = (server, path) =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });

/** The other processes that want the lock or have it. Removes the sockets of dead ones. */
async function livingOthers(own) {
  const names = readdirSync(FOLDER).filter((name) => name !== own && !name.endsWith(UNFINISHED));
  const looks = await Promise.all(names.map(look));
  return looks.filter((other) => other !== undefined);
}

/**
 * @returns undefined for a dead process; else `gone`, a promise that resolves when it ends, and `forget`, which stops
 *   waiting for that
 */
const look = (name) =>
  new Promise((resolve) => {
    const socket = connect(`${FOLDER}/${name}`);
    let ended;
    const gone = new Promise((end) => (ended = end));
    socket.on('connect', () => resolve({ name, gone, forget: () => socket.destroy() }));
    socket.on('error', (error) => {
      if (error.code === 'ECONNREFUSED') rmSync(`${FOLDER}/${name}`, { force: true });
    });
    socket.on('close', () => {
      ended();
      resolve(undefined);
    });
    socket.resume();
  });
