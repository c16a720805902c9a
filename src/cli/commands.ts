/** A command: its line in the help, and how to load it. Its module is loaded only when it is called. */
export interface CommandEntry {
  summary: string;
  /** What other programs call it: whoever types one of these is told its name here. */
  also?: readonly string[];
  load: () => Promise<CommandModule>;
}

export interface CommandModule {
  /** @param argv the arguments after the command's name. @returns the exit code. */
  main: (argv: readonly string[]) => Promise<number>;
}

/** A task that waits or runs is cancelled; one that has ended is collected. */
const REMOVE = ['rm', 'remove', 'delete'];

/** All commands for people, in the order of the help. A name may have two words. */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  serve: {
    summary: 'run the daemon',
    also: ['daemon', 'server', 'up'],
    load: () => import('./commands/serve.js'),
  },
  submit: {
    summary: 'hand a task to the daemon and print its id',
    also: ['add', 'enqueue', 'create', 'new', 'sbatch'],
    load: () => import('./commands/submit.js'),
  },
  run: {
    summary: 'submit a task, show its output, exit as it does',
    also: ['exec', 'start', 'srun'],
    load: () => import('./commands/run.js'),
  },
  status: {
    summary: 'show a task',
    also: ['show', 'info', 'inspect', 'get', 'describe'],
    load: () => import('./commands/status.js'),
  },
  explain: {
    summary: 'say in words why a task waits',
    also: ['why'],
    load: () => import('./commands/explain.js'),
  },
  request: { summary: 'show what was asked for with a task', load: () => import('./commands/request.js') },
  wait: {
    summary: 'wait until tasks have ended',
    also: ['join'],
    load: () => import('./commands/wait.js'),
  },
  edit: {
    summary: 'change a task that waits',
    also: ['update', 'modify', 'change', 'alter', 'renice', 'hold'],
    load: () => import('./commands/edit.js'),
  },
  release: {
    summary: 'let tasks start that are held',
    also: ['unhold'],
    load: () => import('./commands/release.js'),
  },
  kill: {
    summary: 'cancel tasks',
    also: ['stop', 'cancel', 'abort', 'terminate', 'scancel', ...REMOVE],
    load: () => import('./commands/kill.js'),
  },
  retry: {
    summary: 'run tasks that have ended again',
    also: ['rerun', 'restart', 'requeue', 'resubmit', 'redo'],
    load: () => import('./commands/retry.js'),
  },
  pause: {
    summary: 'stop running tasks for a while',
    also: ['suspend', 'freeze'],
    load: () => import('./commands/pause.js'),
  },
  resume: {
    summary: 'let paused tasks go on',
    also: ['unpause', 'continue', 'thaw'],
    load: () => import('./commands/resume.js'),
  },
  list: {
    summary: 'list tasks',
    also: ['ls', 'ps', 'jobs', 'tasks', 'top', 'squeue'],
    load: () => import('./commands/list.js'),
  },
  read: {
    summary: 'say that somebody has seen tasks as they are',
    also: ['seen', 'ack'],
    load: () => import('./commands/read.js'),
  },
  snapshot: {
    summary: 'show how things are at this moment',
    also: ['overview', 'summary', 'dashboard'],
    load: () => import('./commands/snapshot.js'),
  },
  logs: {
    summary: "show a task's output",
    also: ['log', 'tail', 'cat', 'output', 'follow', 'attach'],
    load: () => import('./commands/logs.js'),
  },
  events: {
    summary: 'show what happened',
    also: ['history', 'watch'],
    load: () => import('./commands/events.js'),
  },
  commands: {
    summary: 'list what was said to a task; inside of one what it is still to do',
    also: ['inbox'],
    load: () => import('./commands/commands.js'),
  },
  progress: {
    summary: 'inside of a task: say how far it is',
    load: () => import('./commands/progress.js'),
  },
  event: {
    summary: 'inside of a task: add an event to its history',
    load: () => import('./commands/event.js'),
  },
  'command send': {
    summary: 'say something to a task',
    load: () => import('./commands/command-send.js'),
  },
  'command next': {
    summary: 'inside of a task: wait for a command and print it',
    load: () => import('./commands/command-next.js'),
  },
  'command ack': {
    summary: 'inside of a task: say that commands were read',
    load: () => import('./commands/command-ack.js'),
  },
  'command finish': {
    summary: 'inside of a task: say how a command was carried out',
    load: () => import('./commands/command-finish.js'),
  },
  'queue list': { summary: 'list the queues', load: () => import('./commands/queue-list.js') },
  'queue show': { summary: 'show a queue', load: () => import('./commands/queue-show.js') },
  'queue set': { summary: 'say what holds of a queue', load: () => import('./commands/queue-set.js') },
  'queue pause': {
    summary: 'start none of its tasks',
    load: () => import('./commands/queue-pause.js'),
  },
  'queue resume': { summary: 'start them again', load: () => import('./commands/queue-resume.js') },
  'queue drain': {
    summary: 'pause it and wait until none of its tasks runs',
    load: () => import('./commands/queue-drain.js'),
  },
  'queue rm': { summary: 'take away what holds of it', load: () => import('./commands/queue-rm.js') },
  'group list': { summary: 'list the groups of tasks', load: () => import('./commands/group-list.js') },
  'group show': { summary: 'show a group', load: () => import('./commands/group-show.js') },
  'notify test': {
    summary: 'send a message to a webhook, to see whether one arrives',
    load: () => import('./commands/notify-test.js'),
  },
  'session create': {
    summary: 'make a workspace that tasks share',
    load: () => import('./commands/session-create.js'),
  },
  'session list': { summary: 'list the sessions', load: () => import('./commands/session-list.js') },
  'session show': { summary: 'show a session', load: () => import('./commands/session-show.js') },
  'session storage': {
    summary: 'show how much a session keeps',
    load: () => import('./commands/session-storage.js'),
  },
  'session logs': {
    summary: 'show what the tasks of a session have written',
    load: () => import('./commands/session-logs.js'),
  },
  'session read': {
    summary: 'say that somebody has seen sessions as they are',
    load: () => import('./commands/session-read.js'),
  },
  'session set': {
    summary: 'change what is said of a session',
    load: () => import('./commands/session-set.js'),
  },
  'session rm': {
    summary: 'delete sessions, with their files',
    load: () => import('./commands/session-rm.js'),
  },
  'schedule add': {
    summary: 'submit a task again and again, at due times',
    load: () => import('./commands/schedule-add.js'),
  },
  'schedule list': { summary: 'list the schedules', load: () => import('./commands/schedule-list.js') },
  'schedule show': {
    summary: 'show a schedule, its next and its last due times',
    load: () => import('./commands/schedule-show.js'),
  },
  'schedule set': { summary: 'change a schedule', load: () => import('./commands/schedule-set.js') },
  'schedule pause': {
    summary: 'submit none of its tasks',
    load: () => import('./commands/schedule-pause.js'),
  },
  'schedule resume': { summary: 'submit them again', load: () => import('./commands/schedule-resume.js') },
  'schedule run': {
    summary: 'submit its task now',
    load: () => import('./commands/schedule-run.js'),
  },
  'schedule rm': { summary: 'delete a schedule', load: () => import('./commands/schedule-rm.js') },
  cp: {
    summary: 'copy a file into a workspace, or out of one',
    also: ['scp', 'copy', 'upload', 'download', 'put'],
    load: () => import('./commands/cp.js'),
  },
  files: { summary: 'list or delete files of a workspace', load: () => import('./commands/files.js') },
  bulk: {
    summary: 'kill, delete, pause, resume, edit, release or retry many tasks',
    load: () => import('./commands/bulk.js'),
  },
  gc: {
    summary: 'remove ended tasks that are due',
    also: ['clean', 'cleanup', 'prune', 'purge', ...REMOVE],
    load: () => import('./commands/gc.js'),
  },
  doctor: {
    summary: 'say what is wrong with this host or the data directory',
    also: ['check', 'diagnose', 'health'],
    load: () => import('./commands/doctor.js'),
  },
  backup: {
    summary: 'copy the database while it is in use',
    also: ['dump', 'export'],
    load: () => import('./commands/backup.js'),
  },
};
