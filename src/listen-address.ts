import type http from 'node:http';
import type { ListenAddress } from './api/server.js';
import type { Config } from './config.js';

/** A socket passed by systemd (`LISTEN_FDS`) goes before the address: connections queue in it while the daemon restarts. */
export function listenAddress(config: Config, env: NodeJS.ProcessEnv): ListenAddress {
  const passed = env['LISTEN_PID'] === String(process.pid) && Number(env['LISTEN_FDS']) > 0;
  return passed ? { fd: 3 } : { host: config.host, port: config.port };
}

/** Where a server really listens: port 0 has become a number. */
export function serverUrl(server: http.Server, config: Config): string {
  const address = server.address();
  if (address === null || typeof address === 'string') return `http://${config.listenAddr}`;
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${host}:${address.port}`;
}
