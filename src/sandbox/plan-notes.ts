import type { HostCapabilities } from '../task/capabilities.js';
import type { CapabilityMode } from '../task/request.js';

export interface PlanDefaults {
  /** For requests that do not name one. */
  capabilityMode: CapabilityMode;
  /** How long a task may run when its request does not say, in milliseconds; 0: without limit. */
  wallTimeMs: number;
  /** Name or number of the user that tasks run as; the daemon's own when absent. */
  taskUser?: string | undefined;
  /** Directories in or below which a `rootfs` may be, absolute; none when absent. */
  allowRootfs?: readonly string[] | undefined;
}

/** What a plan cannot enforce, each with its reason, and remarks for its reader. */
export interface Notes {
  fallbacks: string[];
  warnings: string[];
}

/** The host's reason for a missing capability, in parentheses; empty when it gave none. */
export function why(caps: HostCapabilities, capability: string): string {
  const reason = caps.reasons[capability];
  return reason === undefined ? '' : ` (${reason})`;
}
