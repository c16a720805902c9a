import fs from 'node:fs';
import type http from 'node:http';
import path from 'node:path';
import { tryListening, type ListenAddress } from '../api/server.js';
import type { Config } from './config.js';
import type { Part } from './lifecycle.js';
import { errnoOf } from '../files/errno.js';
import { DATABASE_FILE } from '../store/open.js';
import { ExecgoError, invalidInput } from '../task/errors.js';

/** The descriptor of the first socket that systemd passes. */
const FIRST_PASSED = 3;

/**
 * A socket passed by systemd (`LISTEN_FDS`) is preferred to the address: connections queue in it while the daemon restarts.
 */
export function listenAddress(config: Config, env: NodeJS.ProcessEnv): ListenAddress {
  const passed = env['LISTEN_PID'] === String(process.pid) && Number(env['LISTEN_FDS']) > 0;
  if (passed) return { fd: FIRST_PASSED };
  return config.listenSocket === undefined
    ? { host: config.host, port: config.port }
    : { socketPath: config.listenSocket, mode: config.listenSocketMode };
}

/**
 * That nothing else has the address, before a new data directory is made: a daemon that cannot serve then leaves nothing
 * behind. One that has a database finds out only when it serves, because clients may be waiting for it to come back.
 */
export const freeAddress: Part<{ config: Config; env: NodeJS.ProcessEnv }, void> = {
  start: async ({ config, env }) => {
    const address = listenAddress(config, env);
    if ('fd' in address || fs.existsSync(path.join(config.dataDir, DATABASE_FILE))) return;
    await tryListening(address).catch((error: unknown) => {
      throw whyNotListening(error, config, env);
    });
  },
};

/** The address of a daemon that listens. */
export interface Served {
  /** `http://host:port`, or `unix:/path`: a value for `--server`. */
  url: string;
  /** `host:port` with the port that was chosen for port 0, or `unix:/path`. */
  listenAddr: string;
}

/** @returns the address of a server that listens */
export function whereServed(server: http.Server, config: Config): Served {
  const address = server.address();
  if (address === null || typeof address === 'string') {
    const path = address ?? passedSocketPath();
    const listenAddr = path === undefined ? config.listenAddr : `unix:${path}`;
    return { url: path === undefined ? `http://${listenAddr}` : listenAddr, listenAddr };
  }
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  const listenAddr = `${host}:${address.port}`;
  return { url: `http://${listenAddr}`, listenAddr };
}

/** The path of the Unix socket that was passed: Node cannot tell it from a descriptor, the kernel can. */
function passedSocketPath(): string | undefined {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(fs.readlinkSync(`/proc/self/fd/${FIRST_PASSED}`))?.[1];
    const lines = fs.readFileSync('/proc/net/unix', 'utf8').split('\n');
    const fields = lines.map((line) => /^\S+: (?:\S+ ){5} *(\d+) (\/.*)$/.exec(line));
    return fields.find((match) => match?.[1] === inode)?.[2];
  } catch {
    return undefined;
  }
}

/** Below this port only root may listen, unless the system says otherwise. */
const FIRST_FREE_PORT = 1024;

/** The error for people when the daemon cannot listen. @param env tells whether npm has started this process */
export function whyNotListening(error: unknown, config: Config, env: NodeJS.ProcessEnv): unknown {
  const code = errnoOf(error);
  const { listenSocket, listenAddr, port } = config;
  if (code === undefined) return error;
  if (listenSocket !== undefined) return whyNoSocket(code, listenSocket) ?? error;
  const flags = (text: string) => (env['npm_lifecycle_event'] === 'start' ? `npm start -- ${text}` : text);
  const other = flags('--listen-addr 127.0.0.1:0');
  if (code === 'EADDRINUSE')
    return new ExecgoError(
      'conflict',
      `${listenAddr} is in use, by another execgo daemon perhaps, or by another program: ` +
        `"ss -ltnp sport = :${port}" as root says which; stop it, or choose another port: ${other} takes any that is free`,
    );
  const cannot = `cannot listen on ${listenAddr}:`;
  if (code === 'EACCES')
    return invalidInput(
      port < FIRST_FREE_PORT
        ? `${cannot} ports below ${FIRST_FREE_PORT} need root; choose another: ${other} takes any that is free`
        : `${cannot} permission denied; choose another port: ${other} takes any that is free`,
    );
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return invalidInput(`${cannot} this machine has no such address; choose another with --listen-addr`);
  return error;
}

/** Node reports EACCES for a directory that does not exist, and EADDRINUSE for any file with that name. */
function whyNoSocket(code: string, socketPath: string): ExecgoError | undefined {
  const dir = path.dirname(socketPath);
  const there = look(() => fs.lstatSync(socketPath, { throwIfNoEntry: false }));
  const cannot = `cannot listen on ${socketPath}:`;
  if (code === 'EADDRINUSE' && there !== 'hidden' && there?.isSocket() === true)
    return new ExecgoError(
      'conflict',
      `${socketPath} is in use, by another execgo daemon perhaps, or by another program: stop it, or choose another --listen-socket`,
    );
  if (there !== undefined && there !== 'hidden')
    return invalidInput(
      `${cannot} what is there is no socket; move it away, or choose another --listen-socket`,
    );
  const above = look(() => fs.statSync(dir, { throwIfNoEntry: false }));
  if (above !== 'hidden' && above?.isDirectory() !== true)
    return invalidInput(
      `${cannot} ${dir} ${above === undefined ? 'does not exist; make it' : 'is not a directory'}, or choose another --listen-socket`,
    );
  return code === 'EACCES' || above === 'hidden'
    ? invalidInput(`${cannot} this user may not write to ${dir}; choose another --listen-socket`)
    : undefined;
}

/** `hidden` when it may not be looked at. */
function look(at: () => fs.Stats | undefined): fs.Stats | 'hidden' | undefined {
  try {
    return at();
  } catch {
    return 'hidden';
  }
}
