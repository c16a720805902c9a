import type { LaunchSpec } from '../wire/protocol.js';

/** True when something has to be set up before the program runs. */
export function needsChain(spec: LaunchSpec): boolean {
  const { chain, cgroup } = spec;
  return (
    chain !== undefined ||
    (cgroup !== undefined && (cgroup.limits.length > 0 || cgroup.track.settings.length > 0))
  );
}

/** True when a text contains a NUL, which no argument, path or variable can. */
export function hasNul(spec: LaunchSpec): boolean {
  const texts = [...spec.argv, spec.cwd, ...Object.keys(spec.env), ...Object.values(spec.env)];
  return texts.some((text) => text.includes('\0'));
}
