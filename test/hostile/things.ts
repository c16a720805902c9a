import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { basename, join } from 'node:path';

/** Where things lead to, and what must stay as it is. */
export interface Outside {
  file: string;
  directory: string;
}

/** Makes one kind of thing under each of these paths, where nothing is. */
type Make = (paths: readonly string[], outside: Outside) => void;

const each =
  (make: (path: string, outside: Outside) => void): Make =>
  (paths, outside) => {
    for (const path of paths) make(path, outside);
  };

const nodes =
  (kind: 'b' | 'c', major: number, minor: number): Make =>
  (paths) => {
    run('/bin/sh', ['-c', `for path; do mknod "$path" ${kind} ${major} ${minor}; done`, 'sh', ...paths]);
  };

/** Behind the name of a thing that is not in its place yet. */
const MAKING = '~';

/** What takes the place of what was there. */
const INSTEAD: Readonly<Record<string, Make>> = {
  fifo: (paths) => {
    run('mkfifo', paths);
  },
  socket: makeSockets,
  'char-device': nodes('c', 1, 3),
  'block-device': nodes('b', 7, 0),
  directory: each((path) => fs.mkdirSync(join(path, 'inner'), { recursive: true })),
  'link-to-file': each((path, { file }) => {
    fs.symlinkSync(file, path);
  }),
  'link-to-directory': each((path, { directory }) => {
    fs.symlinkSync(directory, path);
  }),
  'dangling-link': each((path) => {
    fs.symlinkSync('/nowhere/at/all', path);
  }),
  'link-loop': each((path) => {
    fs.symlinkSync(basename(path).replace(MAKING, ''), path);
  }),
  'hard-link': each((path, { file }) => {
    fs.linkSync(file, path);
  }),
  sparse: each((path) => {
    fs.writeFileSync(path, '');
    fs.truncateSync(path, 2 ** 40);
  }),
  nothing: () => undefined,
};

/** What is done to what is there; to a new file where nothing is. */
const DONE: Readonly<Record<string, (paths: readonly string[]) => void>> = {
  unreadable: (paths) => {
    for (const path of paths) fs.chmodSync(path, 0);
  },
  immutable: (paths) => {
    run('chattr', ['+i', ...paths]);
  },
};

const THINGS = [...Object.keys(INSTEAD), ...Object.keys(DONE)];

/** Regular files: what is read in them is what the task wrote, as far as anybody can tell. */
export const FILES: readonly string[] = ['hard-link', 'sparse'];

/** Every name in a task's directory that means something, an older daemon's included; '' is the directory itself. */
const PLACES = [
  ...['', 'workspace', 'request.json', 'script.sh', 'stdout.log', 'stderr.log', 'stdout.tail', 'stderr.tail'],
  ...['result.json', 'result.json.tmp'],
];

export interface Cell {
  thing: string;
  place: string;
}

export const CELLS: readonly Cell[] = THINGS.flatMap((thing) => PLACES.map((place) => ({ thing, place })));

/**
 * Puts things in their places. What is made belongs to `uid`, as if a task of that user had made it.
 * @param directoryOf of the task that a cell is about, which is there
 */
export function putAll<C extends Cell>(
  cells: readonly C[],
  directoryOf: (cell: C) => string,
  outside: Outside,
  uid: number,
): void {
  for (const thing of THINGS) {
    const paths = cells
      .filter((cell) => cell.thing === thing)
      .map((cell) => join(directoryOf(cell), cell.place));
    if (paths.length > 0) put(thing, paths, outside, uid);
  }
}

function put(thing: string, paths: readonly string[], outside: Outside, uid: number): void {
  const instead = INSTEAD[thing];
  if (instead === undefined) {
    for (const path of paths) if (!fs.existsSync(path)) fs.writeFileSync(path, '');
    DONE[thing]?.(paths);
    return;
  }
  const made = paths.map((path) => `${path}${MAKING}`);
  instead(made, outside);
  if (thing !== 'nothing' && thing !== 'hard-link') for (const path of made) fs.lchownSync(path, uid, uid);
  for (const path of paths) {
    fs.rmSync(path, { recursive: true, force: true });
    // Whoever makes the old thing anew meanwhile is too late.
    if (thing !== 'nothing') fs.renameSync(`${path}${MAKING}`, path);
  }
}

/** Lets everything below be changed and removed again. chattr fails for what is neither a file nor a directory. */
export function thaw(directory: string): void {
  run('/bin/sh', ['-c', 'chattr -R -f -i "$1" || true', 'sh', directory]);
}

/** They stay when their maker has ended. Each is bound from its directory, as a path longer than 107 bytes cannot be. */
function makeSockets(paths: readonly string[]): void {
  const text = `import os, socket, sys
for path in sys.argv[1:]:
    os.chdir(os.path.dirname(path))
    socket.socket(socket.AF_UNIX).bind(os.path.basename(path))`;
  run('python3', ['-c', text, ...paths]);
}

function run(program: string, args: readonly string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}
