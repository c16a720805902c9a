import type { HostCapabilities } from '../../task/capabilities.js';
import type { Finding } from '../../task/health.js';

/** What a daemon on this host can enforce, and for the rest why not. */
export function hostFindings(host: HostCapabilities): Finding[] {
  const { platform } = host;
  const missing = Object.entries(host.reasons).map(([capability, reason]): Finding => ({
    check: 'host',
    level: 'note',
    message: `no ${capability}: ${reason}`,
  }));
  const summary = `${platform.os} ${platform.arch}, launcher ${host.launcher}, cgroup ${host.cgroup}`;
  return [{ check: 'host', level: 'ok', message: summary }, ...missing];
}
