import os from 'node:os';
import { createApp } from '../api/app.js';
import { Connections } from '../api/connections.js';
import { listen, stop } from '../api/server.js';
import { Waiters } from '../api/waiters.js';
import type { Config } from './config.js';
import type { Host } from './host.js';
import { listenAddress, whereServed, whyNotListening } from './listen-address.js';
import { maxConnections } from './open-files.js';
import type { Intake } from '../runtime/lifecycle/submit.js';
import type { Collector } from '../runtime/upkeep/collector.js';
import { configView, infoView, overrides } from '../runtime/views/config-view.js';
import { createMetrics } from '../runtime/views/metrics.js';
import { queueFigures } from '../runtime/views/queue-view.js';
import { resourceFigures, resourcesView } from '../runtime/views/resources-view.js';
import { Runtime, type RuntimeCore } from '../runtime/runtime.js';
import { capabilitiesView } from '../sandbox/capabilities-view.js';

export interface HttpParts extends RuntimeCore {
  config: Config;
  host: Host;
  collector: Collector;
  intake: Intake;
  version: string;
  /** Unix time of the start in milliseconds. */
  startedAt: number;
  env: NodeJS.ProcessEnv;
}

/** The HTTP side of a daemon. */
export interface HttpSide {
  /** Where it listens: `http://host:port`, or `unix:/path`. */
  url: string;
  runtimeId: string;
  /** Ends waits and streams; resolves when no connection is left. */
  stop: () => Promise<void>;
}

/**
 * Starts to answer requests. The address that answers tell is the one it really listens on, which is known last.
 * @throws ExecgoError saying why it cannot listen there
 */
export async function serveHttp(parts: HttpParts): Promise<HttpSide> {
  const { config, collector, version, startedAt, env, log, store, schedule } = parts;
  const { capabilities, capacity } = parts.host;
  let told = { ...config, maxConnections: maxConnections(config, log) };
  const connections = new Connections(told.maxConnections);
  const waiters = new Waiters(connections);
  const { intake } = parts;
  const service = new Runtime(parts, intake, collector, {
    info: () => infoView(told.runtimeId, version, startedAt, capabilities.platform),
    capabilities: () =>
      capabilitiesView(capabilities, { runtimeId: told.runtimeId, capacity, overrides: overrides(config) }),
    config: () => configView(told),
    resources: () => resourcesView(parts, told.runtimeId, capacity),
    metrics: createMetrics({
      counters: () => store.counters.read(),
      running: () => schedule.ledger.entries().length,
      paused: () => parts.live.paused,
      waiting: () => schedule.waiting,
      queues: () => queueFigures(parts),
      resources: () => resourceFigures(parts),
      collected: () => collector.totals,
      walBytes: () => store.walBytes(),
    }),
  });
  const allowedHosts = [os.hostname(), ...config.allowHosts];
  const { maxBodyBytes } = config;
  const server = await listen(
    createApp({ service, version, allowedHosts, log, waiters, connections, maxBodyBytes }),
    listenAddress(config, env),
    { connections, log },
  ).catch((error: unknown) => {
    throw whyNotListening(error, config, env);
  });
  const { url, listenAddr } = whereServed(server, config);
  told = { ...told, listenAddr, runtimeId: config.runtimeIdAt(listenAddr) };
  return { url, runtimeId: told.runtimeId, stop: () => stop(server, waiters) };
}
