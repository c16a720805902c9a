import { existsSync } from 'node:fs';
import { readText } from '../files/read-text.js';
import type { Platform } from '../task/runtime-view.js';

/** The names of the older runtime, with which clients compare. */
const OS_NAMES: Partial<Record<string, string>> = { darwin: 'macos', win32: 'windows' };
const ARCH_NAMES: Partial<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64', ia32: 'x86' };

/** The system that this process runs on. */
export function readPlatform(env: NodeJS.ProcessEnv = process.env): Platform {
  const kubernetes = env.KUBERNETES_SERVICE_HOST !== undefined;
  return {
    os: OS_NAMES[process.platform] ?? process.platform,
    arch: ARCH_NAMES[process.arch] ?? process.arch,
    containerized: kubernetes || isContainer(),
    kubernetes,
  };
}

function isContainer(): boolean {
  if (existsSync('/.dockerenv') || existsSync('/run/.containerenv')) return true;
  return /docker|containerd|kubepods|libpod/.test(readText('/proc/1/cgroup') ?? '');
}
