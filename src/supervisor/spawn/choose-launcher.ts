import type { Launcher } from './launcher.js';
import { messageOf } from '../../files/errno.js';

/** `auto` takes libc if it works on this host, and execa otherwise. */
export const LAUNCHER_CHOICES = ['auto', 'libc', 'execa'] as const;
export type LauncherChoice = (typeof LAUNCHER_CHOICES)[number];

/**
 * Loads the launcher that is used, and nothing of the other one: two launchers would reap each other's children.
 * @param refused called with the reason why libc does not work, when `auto` falls back.
 * @throws Error when libc is asked for and does not work.
 */
export async function chooseLauncher(
  choice: LauncherChoice,
  refused: (reason: string) => void,
): Promise<Launcher> {
  if (choice !== 'execa') {
    try {
      const { LibcLauncher } = await import('./libc-launcher.js');
      return new LibcLauncher();
    } catch (error) {
      if (choice === 'libc') throw error;
      refused(messageOf(error));
    }
  }
  const { ExecaLauncher } = await import('./execa-launcher.js');
  return new ExecaLauncher();
}

/** @returns the launcher that {@link chooseLauncher} will take on this host. */
export async function launcherKind(choice: LauncherChoice): Promise<Launcher['kind']> {
  if (choice !== 'auto') return choice;
  try {
    const { Libc } = await import('./libc.js');
    Libc.check();
    return 'libc';
  } catch {
    return 'execa';
  }
}
