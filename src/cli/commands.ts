/** A command: its line in the help, and how to load it. Its module is loaded only when it is called. */
export interface CommandEntry {
  summary: string;
  load: () => Promise<CommandModule>;
}

export interface CommandModule {
  /** @param argv the arguments after the command's name. @returns the exit code. */
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
