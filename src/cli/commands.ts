/** A command: what the help says of it, and how to load it. Nothing of it is loaded before it is chosen. */
export interface CommandEntry {
  summary: string;
  load: () => Promise<CommandModule>;
}

export interface CommandModule {
  /** @param argv what follows the command's name. @returns the exit code. */
  main: (argv: readonly string[]) => Promise<number>;
}

/** All commands for people, in the order of the help. */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  serve: { summary: 'run the daemon', load: () => import('./commands/serve.js') },
  submit: {
    summary: 'hand a task to the daemon and print its id',
    load: () => import('./commands/submit.js'),
  },
  run: {
    summary: 'submit a task, show its output, exit as it does',
    load: () => import('./commands/run.js'),
  },
  status: { summary: 'show a task', load: () => import('./commands/status.js') },
  request: { summary: 'show what was asked for with a task', load: () => import('./commands/request.js') },
  wait: { summary: 'wait until tasks have ended', load: () => import('./commands/wait.js') },
  kill: { summary: 'cancel tasks', load: () => import('./commands/kill.js') },
  list: { summary: 'list tasks', load: () => import('./commands/list.js') },
  logs: { summary: "show a task's output", load: () => import('./commands/logs.js') },
  events: { summary: 'show what happened', load: () => import('./commands/events.js') },
  gc: { summary: 'remove ended tasks that are due', load: () => import('./commands/gc.js') },
  doctor: {
    summary: 'say what is wrong with this host or the data directory',
    load: () => import('./commands/doctor.js'),
  },
  backup: { summary: 'copy the database while it is in use', load: () => import('./commands/backup.js') },
};
