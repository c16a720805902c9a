import type { HostCapabilities } from '../task/capabilities.js';
import type { CapabilityMode } from '../task/request.js';

export interface PlanDefaults {
  /** For requests that name none. */
  capabilityMode: CapabilityMode;
  /** How long a task may run whose request does not say, in milliseconds; 0: as long as it takes. */
  wallTimeMs: number;
  /** Name or number of the user that tasks run as; the daemon's own when absent. */
  taskUser?: string | undefined;
  /** Directories in or below which a `rootfs` may be, absolute; none when absent. */
  allowRootfs?: readonly string[] | undefined;
}

/** What a plan gives up, each with its reason, and what its reader should know. */
export interface Notes {
  fallbacks: string[];
  warnings: string[];
}

/** The host's reason for a missing capability, in parentheses; empty when it gave none. */
export function why(caps: HostCapabilities, capability: string): string {
  const reason = caps.reasons[capability];
  return reason === undefined ? '' : ` (${reason})`;
}
