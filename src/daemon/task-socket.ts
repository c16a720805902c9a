import fs from 'node:fs';
import type { Server } from 'node:http';
import path from 'node:path';
import type { Logger } from 'pino';
import { Connections } from '../api/connections.js';
import { listen, stop } from '../api/server.js';
import { createTaskApp } from '../api/task-door/app.js';
import { Waiters } from '../api/waiters.js';
import type { CommandCore } from '../runtime/commands/add.js';
import { TaskTalk } from '../runtime/commands/task-side.js';
import type { TaskOwner } from '../runtime/files/task-owner.js';
import { MAX_SOCKET_PATH_BYTES } from '../supervisor/wire/socket-path.js';
import type { Config } from './config.js';
import type { Part } from './lifecycle.js';
import { maxTaskConnections } from './open-files.js';
import { removeSocketElsewhere, socketElsewhere } from './socket-elsewhere.js';

const SOCKET = 'task.sock';

interface Given {
  config: Config;
  taskOwner: TaskOwner | undefined;
}

/** Where tasks reach the daemon: the same for each daemon of a data directory, because tasks outlive them. */
export const taskSocket: Part<Given & { log: Logger }, string> = {
  start: ({ config: { dataDir }, taskOwner, log }) => {
    const own = path.join(dataDir, SOCKET);
    if (Buffer.byteLength(own) < MAX_SOCKET_PATH_BYTES) return own;
    try {
      return path.join(socketElsewhere(dataDir, taskOwner), SOCKET);
    } catch (err) {
      log.error(
        { err },
        'no directory can be made for the task socket, and its path in the data directory is too long',
      );
      return own;
    }
  },
};

/** What is open to tasks. */
interface TaskDoor {
  tasks: TaskTalk;
  server: Server;
  waiters: Waiters;
}

type DoorParts = Given & CommandCore & { taskSocket: string; log: Logger; version: string };

/** Lets tasks talk to the daemon. Where that cannot be, all else goes on without it. */
export const taskDoor: Part<DoorParts, TaskDoor | undefined> = {
  start: async (parts) => {
    const { taskSocket: socketPath, taskOwner, log, version } = parts;
    const connections = new Connections(maxTaskConnections());
    const waiters = new Waiters(connections);
    const tasks = new TaskTalk(parts);
    const app = createTaskApp({ tasks, version, log, waiters, connections });
    try {
      // Only the daemon that has the lock of the data directory comes here: whatever is there is left from an earlier one.
      fs.rmSync(socketPath, { force: true });
      const server = await listen(app, { socketPath, mode: 0o600 }, { connections, log });
      if (taskOwner !== undefined) {
        fs.chownSync(socketPath, process.geteuid?.() ?? 0, taskOwner.gid);
        fs.chmodSync(socketPath, 0o660);
      }
      return { tasks, server, waiters };
    } catch (err) {
      log.error({ err, socket: socketPath }, 'tasks cannot talk to this daemon: their socket cannot be made');
      return undefined;
    }
  },
  stop: async (door, { taskSocket: socketPath, config, live }) => {
    if (door !== undefined) {
      await stop(door.server, door.waiters);
      await door.tasks.close();
    }
    const directory = path.dirname(socketPath);
    // Tasks that run on know it by this path.
    if (directory === config.dataDir || [...live.all()].some(({ record }) => record.status === 'running'))
      return;
    removeSocketElsewhere(config.dataDir, directory, SOCKET);
  },
};
