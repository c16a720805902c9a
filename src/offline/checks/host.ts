import type { HostCapabilities } from '../../task/capabilities.js';
import { note, ok, type Finding } from './finding.js';

/** What a daemon on this host can enforce, and for the rest why not. */
export function hostFindings(host: HostCapabilities): Finding[] {
  const { platform } = host;
  const missing = Object.entries(host.reasons).map(([name, reason]) => note('host', `no ${name}: ${reason}`));
  const summary = `${platform.os} ${platform.arch}, launcher ${host.launcher}, cgroup ${host.cgroup}`;
  return [ok('host', summary), ...missing];
}
