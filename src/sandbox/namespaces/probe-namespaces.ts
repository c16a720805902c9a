import type { HostCapabilities } from '../../task/capabilities.js';
import type { Namespaces } from '../../task/plan.js';
import { tryCommand } from '../process/host-process.js';
import { NAMESPACE_KINDS, NO_NAMESPACES } from './namespaces.js';
import { findTool, SHELL } from '../process/tools.js';
import { chrootArguments, findUser, setprivArguments } from '../process/user.js';

/** Which namespaces work, and whether chroot and another user do; a reason for each that does not. */
export type SandboxProbe = Pick<
  HostCapabilities,
  'namespaces' | 'bubblewrap' | 'unshare_passes_kill' | 'chroot' | 'switch_user' | 'reasons'
>;

type Kind = (typeof NAMESPACE_KINDS)[number];

/**
 * Tries each namespace, a chroot and another user in short-lived processes: one process for all namespaces, and only if that
 * fails one for each.
 * @param root whether the daemon has user id 0
 * @param taskUser the user to try, and whether it can enter `dataDir`; an unprivileged user when absent
 */
export async function probeSandbox(
  root: boolean,
  taskUser: string | undefined,
  dataDir: string,
): Promise<SandboxProbe> {
  const [entered, passesKill, chroot, user] = await Promise.all([
    probeNamespaces(root),
    root && probeKill(),
    root ? probeChroot(taskUser) : 'needs root',
    root ? probeUser(taskUser, dataDir) : 'needs root',
  ]);
  const reasons: Record<string, string> = {};
  for (const kind of NAMESPACE_KINDS) {
    const reason = entered.reasons[kind];
    if (reason !== undefined) reasons[`namespace_${kind}`] = reason;
  }
  if (!entered.bubblewrap) reasons.bubblewrap = entered.noBubblewrap;
  if (chroot !== undefined) reasons.chroot = chroot;
  if (user !== undefined) reasons.switch_user = user;
  return {
    namespaces: works(entered.reasons),
    bubblewrap: entered.bubblewrap,
    unshare_passes_kill: passesKill,
    chroot: chroot === undefined && !entered.bubblewrap,
    switch_user: user === undefined,
    reasons,
  };
}

async function probeNamespaces(root: boolean) {
  const unshared = root ? await tryEach(tryUnshare) : allFail('needs root');
  if (NAMESPACE_KINDS.some((kind) => unshared[kind] === undefined))
    return { reasons: unshared, bubblewrap: false, noBubblewrap: 'not needed: unshare works' };
  const wrapped = await tryEach(tryBubblewrap);
  if (NAMESPACE_KINDS.some((kind) => wrapped[kind] === undefined))
    return { reasons: wrapped, bubblewrap: true, noBubblewrap: '' };
  const reasons = Object.fromEntries(
    NAMESPACE_KINDS.map((kind) => [kind, `unshare: ${unshared[kind]}; bubblewrap: ${wrapped[kind]}`]),
  );
  return { reasons, bubblewrap: false, noBubblewrap: wrapped.mount ?? '' };
}

type Failures = Partial<Record<Kind, string | undefined>>;

async function tryEach(attempt: (kinds: readonly Kind[]) => Promise<string | undefined>): Promise<Failures> {
  if ((await attempt(NAMESPACE_KINDS)) === undefined) return {};
  const each = await Promise.all(NAMESPACE_KINDS.map(async (kind) => [kind, await attempt([kind])] as const));
  return Object.fromEntries(each);
}

function tryUnshare(kinds: readonly Kind[]): Promise<string | undefined> {
  const flags = kinds.map((kind) => `--${kind}`);
  const fork = kinds.includes('pid') ? ['--fork', '--kill-child', '--mount-proc'] : [];
  return probeTool('unshare', [...flags, ...fork, '--']);
}

function tryBubblewrap(kinds: readonly Kind[]): Promise<string | undefined> {
  const flags = kinds.filter((kind) => kind !== 'mount').map((kind) => `--unshare-${kind}`);
  const proc = kinds.includes('pid') ? ['--proc', '/proc'] : [];
  return probeTool('bwrap', ['--dev-bind', '/', '/', ...flags, ...proc, '--']);
}

/** Before util-linux 2.39 unshare says that it cannot end by SIGKILL, and exits with 1. */
async function probeKill(): Promise<boolean> {
  const unshare = findTool('unshare');
  if (unshare === undefined) return false;
  const why = await tryCommand(unshare, ['--fork', '--', SHELL, '-c', 'kill -KILL $$']);
  return why?.startsWith('unshare: ') === false;
}

function probeChroot(taskUser: string | undefined): Promise<string | undefined> {
  const user = taskUser === undefined ? undefined : findUser(taskUser);
  return probeTool('chroot', [...(user === undefined ? [] : chrootArguments(user)), '--', '/']);
}

async function probeUser(taskUser: string | undefined, dataDir: string): Promise<string | undefined> {
  const user = findUser(taskUser ?? 'nobody') ?? (taskUser === undefined ? findUser('65534') : undefined);
  if (user === undefined) return `user ${taskUser} does not exist`;
  const failure = await probeTool('setpriv', setprivArguments(user));
  if (failure !== undefined || taskUser === undefined) return failure;
  const enter = [...setprivArguments(user), SHELL, '-c', 'cd "$1"', 'execgo', dataDir];
  return (await tryCommand(findTool('setpriv') ?? '', enter)) === undefined
    ? undefined
    : `user ${taskUser} cannot enter ${dataDir}: the directories above it must let it through`;
}

/** Runs true(1) under a tool. */
async function probeTool(name: string, args: string[]): Promise<string | undefined> {
  const tool = findTool(name);
  if (tool === undefined) return `${name} is not installed`;
  return tryCommand(tool, [...args, findTool('true') ?? '/bin/true']);
}

function allFail(reason: string): Failures {
  return Object.fromEntries(NAMESPACE_KINDS.map((kind) => [kind, reason]));
}

function works(reasons: Failures): Namespaces {
  const namespaces = { ...NO_NAMESPACES };
  for (const kind of NAMESPACE_KINDS) namespaces[kind] = reasons[kind] === undefined;
  return namespaces;
}
