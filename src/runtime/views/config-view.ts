import { toldAs, type Setting } from '../../settings/setting.js';
import { settingList, type Settings } from '../../settings/settings.js';
import type { Platform, RuntimeInfo } from '../../task/runtime-view.js';
import { AllowList } from '../../webhook/allow-list.js';
import { timestamp } from './timestamp.js';

/** The body of `GET /api/v1/runtime/config`: the settings in force, each under its name. */
export function configView(settings: Settings): object {
  return Object.fromEntries(
    settingList.map(([key, setting]) => [toldAs(key, setting), told(key, setting, settings)]),
  );
}

function told(key: keyof Settings, setting: Setting, settings: Settings): unknown {
  const value = settings[key];
  if (setting.kind === 'flag' && setting.opposite !== undefined) return value !== true;
  if (setting.kind === 'mode')
    return settings[setting.goesWith] === undefined ? undefined : `0${Number(value).toString(8)}`;
  if (value instanceof AllowList) return value.texts;
  return value instanceof Map ? Object.fromEntries(value) : value;
}

/** The body of `GET /api/v1/runtime/info`. */
export function infoView(
  runtimeId: string,
  version: string,
  startedAtMs: number,
  platform: Platform,
): RuntimeInfo {
  return {
    runtime_id: runtimeId,
    version,
    started_at: timestamp(startedAtMs),
    snapshot_version: 'v1',
    platform,
  };
}

/** Capabilities that the operator switched off or set, in the form that existing clients read. */
export function overrides(config: Settings): Record<string, string> {
  return {
    ...(config.disableLinuxSandbox ? { linux_sandbox: 'disabled' } : {}),
    ...(config.disableCgroup ? { cgroup: 'disabled' } : {}),
    ...(config.capacityMemoryBytes === undefined
      ? {}
      : { capacity_memory_bytes: String(config.capacityMemoryBytes) }),
    ...(config.capacityPids === undefined ? {} : { capacity_pids: String(config.capacityPids) }),
  };
}
