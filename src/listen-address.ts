import fs from 'node:fs';
import type http from 'node:http';
import type { ListenAddress } from './api/server.js';
import type { Config } from './config.js';
import { ExecgoError } from './task/errors.js';

/** The descriptor of the first socket that systemd passes. */
const FIRST_PASSED = 3;

/** A socket passed by systemd (`LISTEN_FDS`) goes before the address: connections queue in it while the daemon restarts. */
export function listenAddress(config: Config, env: NodeJS.ProcessEnv): ListenAddress {
  const passed = env['LISTEN_PID'] === String(process.pid) && Number(env['LISTEN_FDS']) > 0;
  if (passed) return { fd: FIRST_PASSED };
  return config.listenSocket === undefined
    ? { host: config.host, port: config.port }
    : { socketPath: config.listenSocket, mode: config.listenSocketMode };
}

/** Where a daemon really listens. */
export interface Served {
  /** `http://host:port`, or `unix:/path`: what `--server` takes. */
  url: string;
  /** `host:port` with the port that port 0 has become, or `unix:/path`. */
  listenAddr: string;
}

/** @returns where a server that listens can be reached */
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

/** The path of the Unix socket that was passed: Node does not know the name of a descriptor, the kernel does. */
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

/** What stands in the way of listening, in words. */
export function whyNotListening(error: unknown, { listenAddr }: Config): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const port = /:(\d+)$/.exec(listenAddr)?.[1];
  if (code === 'EADDRINUSE')
    return new ExecgoError(
      'conflict',
      `${listenAddr} is in use, by another execgo daemon perhaps, or by another program: ` +
        (port === undefined
          ? 'stop it, or move away what is there'
          : `"ss -ltnp sport = :${port}" as root says which; stop it, or choose another port with --listen-addr (port 0 takes any that is free)`),
    );
  if (code === 'EACCES' || code === 'ENOENT' || code === 'EADDRNOTAVAIL')
    return new ExecgoError(
      'invalid_input',
      `cannot listen on ${listenAddr} (${code}): choose another --listen-addr or --listen-socket`,
    );
  return error;
}
