import os from 'node:os';
import path from 'node:path';
import { readSettings } from './read-settings.js';
import type { Settings } from '../settings/settings.js';
import { invalidInput } from '../task/errors.js';

/**
 * The settings, checked and frozen, with absolute paths, and what follows from them. A capacity that is absent is detected.
 */
export interface Config extends Settings {
  /** `host:port`, or `unix:/path` if there is a {@link listenSocket}. */
  readonly listenAddr: string;
  readonly host: string;
  readonly port: number;
  readonly runtimeId: string;
  /** The runtime id of a daemon that listens on this address; the setting, if it is given. */
  readonly runtimeIdAt: (listenAddr: string) => string;
}

/**
 * Makes one frozen value of flags and environment.
 * @param flags by their camel-case names, as commander gives them
 * @throws ExecgoError `invalid_input` that names the flag or variable and what it must be
 */
export function loadConfig(flags: Readonly<Record<string, unknown>>, env: NodeJS.ProcessEnv): Config {
  const onSocket = flags['listenSocket'] !== undefined;
  if (onSocket && flags['listenAddr'] !== undefined)
    throw invalidInput('give --listen-addr or --listen-socket, not both');
  if (!onSocket && flags['listenSocketMode'] !== undefined)
    throw invalidInput('--listen-socket-mode goes with --listen-socket, which names the socket');
  const settings = readSettings(flags, env);
  const listenSocket = socketPath(settings.listenSocket);
  const { host, port } = parseListenAddr(settings.listenAddr);
  const listenAddr = listenSocket === undefined ? settings.listenAddr : `unix:${listenSocket}`;
  if (!isLoopback(host) && !settings.insecure)
    throw invalidInput(
      `--listen-addr ${listenAddr} can be reached from other machines, and nothing would ask them who they are; ` +
        'listen on 127.0.0.1, or add --insecure if everybody on that network may run commands here',
    );
  const hostname = env['HOSTNAME'] ?? os.hostname();
  const runtimeIdAt = (at: string) =>
    settings.runtimeId ?? `${hostname}-${at}`.replace(/[^A-Za-z0-9._-]/g, '-');
  return Object.freeze({
    ...settings,
    listenAddr,
    listenSocket,
    host,
    port,
    dataDir: path.resolve(settings.dataDir),
    allowRootfs: Object.freeze(settings.allowRootfs.map((dir) => path.resolve(dir))),
    runtimeId: runtimeIdAt(listenAddr),
    runtimeIdAt,
  });
}

/** The longest path of a socket that the kernel accepts, in bytes, without the final NUL. */
const SOCKET_PATH_MAX = process.platform === 'linux' ? 107 : 103;

/** @throws ExecgoError `invalid_input` for a path that the kernel would cut off */
function socketPath(given: string | undefined): string | undefined {
  if (given === undefined) return undefined;
  const absolute = path.resolve(given);
  if (Buffer.byteLength(absolute) > SOCKET_PATH_MAX)
    throw invalidInput(
      `--listen-socket ${absolute} is longer than the ${SOCKET_PATH_MAX} bytes that the path of a socket may have: choose a shorter one`,
    );
  return absolute;
}

/**
 * `127.0.0.1:8080`, `localhost:0`, `[::1]:8080` → host and port.
 * @throws ExecgoError `invalid_input`
 */
function parseListenAddr(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:\s[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535)
    throw invalidInput(
      `--listen-addr must be HOST:PORT, for example 127.0.0.1:8080, not ${JSON.stringify(text)}`,
    );
  return { host, port };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
