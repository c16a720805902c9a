import fs from 'node:fs';
import path from 'node:path';
import { ExecgoClient } from '../client/index.js';
import { probeCapabilities } from '../sandbox/capabilities.js';
import { removeLayout } from '../sandbox/cgroup/cgroup-layout.js';
import { readBootId } from '../sandbox/process/process-identity.js';
import { checkDatabase, saysDamage } from '../store/database/check.js';
import { HOLDER_FILE, servingDaemon } from '../store/database/data-dir-lock.js';
import { DATABASE_FILE, openStore } from '../store/open.js';
import { peekTaskGroup } from '../store/database/peek.js';
import type { Store } from '../store/store.js';
import { launcherKind } from '../supervisor/spawn/choose-launcher.js';
import { diskFindings } from './checks/disk.js';
import { fileFindings } from './checks/files.js';
import { note, ok, problem, type Finding } from './checks/finding.js';
import { hostFindings } from './checks/host.js';
import { ledgerFindings, type LedgerView } from './checks/ledger.js';
import { permissionFindings } from './checks/permissions.js';
import { supervisorFindings } from './checks/supervisors.js';
import { unreadableDir, unreadableFile } from './readable.js';
import { messageOf } from '../files/errno.js';

/** How long the daemon may take to answer, in milliseconds. */
const ANSWER_MS = 10_000;

export type { Finding };

export interface DoctorOptions {
  /** An absolute path. */
  dataDir: string;
  cgroupRoot: string;
}

/**
 * Runs all checks, without changing anything, with or without a daemon at work. A check that cannot be made is reported as a
 * problem; none throws.
 */
export async function examine({ dataDir, cgroupRoot }: DoctorOptions): Promise<Finding[]> {
  const unreadable = unreadableDir(dataDir);
  if (unreadable !== undefined) return [problem('data directory', unreadable.problem, unreadable.advice)];
  const findings = [
    ...(await attempt('host', () => host(dataDir, cgroupRoot))),
    ...(await attempt('permissions', () => permissionFindings(dataDir, peekTaskGroup(dataDir)))),
    ...(await attempt('disk', () => diskFindings(dataDir))),
  ];
  const database = await attempt('database', () => databaseFindings(dataDir));
  findings.push(...database);
  const daemon = servingDaemon(dataDir);
  const client =
    daemon === undefined
      ? undefined
      : new ExecgoClient({ server: daemon.listen_addr, requestTimeoutMs: ANSWER_MS });
  findings.push(...(await attempt('daemon', () => daemonFindings(dataDir, client, daemon?.pid))));
  if (database.every((f) => f.level === 'ok')) findings.push(...(await rowFindings(dataDir, client)));
  client?.close();
  return findings;
}

async function host(dataDir: string, cgroupRoot: string): Promise<Finding[]> {
  const launcher = await launcherKind('auto');
  // The names of cgroup directories contain the data directory's: those of a running daemon must be left alone.
  const trash = path.join(dataDir, 'trash');
  const { capabilities, layout } = await probeCapabilities({
    dataDir: fs.existsSync(trash) ? trash : dataDir,
    cgroupRoot,
    disableCgroup: false,
    disableLinuxSandbox: false,
    launcher,
    now: Date.now,
  });
  removeLayout(layout);
  return hostFindings(capabilities);
}

function databaseFindings(dataDir: string): Finding[] {
  const file = path.join(dataDir, DATABASE_FILE);
  const isNew = ![DATABASE_FILE, 'tasks', 'supervisor'].some((name) =>
    fs.existsSync(path.join(dataDir, name)),
  );
  if (isNew) return [note('database', `${file} is not there yet: the first start makes it`)];
  const owner = fs.statSync(file, { throwIfNoEntry: false })?.uid;
  // Its owner, and what to do about that, has been reported with the permissions.
  if (owner !== undefined && owner !== (process.geteuid?.() ?? owner))
    return [note('database', `${file} is not checked: it is another user's`)];
  const problems = checkDatabase(file);
  if (problems.length === 0) return [ok('database', `${file} is sound`)];
  const advice = 'stop the daemon, keep a copy of all three files, and restore a backup';
  return problems.map((what) =>
    problem('database', `${file}: ${what}`, saysDamage(what) ? advice : undefined),
  );
}

async function daemonFindings(
  dataDir: string,
  client: ExecgoClient | undefined,
  pid: number | undefined,
): Promise<Finding[]> {
  const unreadable = unreadableFile(path.join(dataDir, HOLDER_FILE));
  if (unreadable !== undefined) {
    const message = `cannot tell whether a daemon runs: ${unreadable.problem}`;
    return [problem('daemon', message, unreadable.advice)];
  }
  if (client === undefined) return [note('daemon', 'no daemon runs here')];
  await client.ready();
  return [ok('daemon', `pid ${pid ?? 0} answers and can write`)];
}

async function rowFindings(dataDir: string, client: ExecgoClient | undefined): Promise<Finding[]> {
  let store: Store | undefined;
  try {
    const opened = openStore({ dataDir, now: Date.now, asItIs: true });
    store = opened;
    const before = opened.tasks.live();
    const ledger = await attempt('ledger', async () => {
      const view = client === undefined ? undefined : ((await client.resources()) as unknown as LedgerView);
      return ledgerFindings(before, view, opened.tasks.live());
    });
    return [
      ...ledger,
      ...(await attempt('supervisor', () =>
        supervisorFindings(
          dataDir,
          opened.supervisors.all(),
          opened.tasks.live(),
          readBootId(),
          client !== undefined,
        ),
      )),
      ...(await attempt('files', () => fileFindings(dataDir, opened))),
    ];
  } catch (error) {
    return [failed('rows', error)];
  } finally {
    store?.close();
  }
}

async function attempt(check: string, make: () => Finding[] | Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await make();
  } catch (error) {
    return [failed(check, error)];
  }
}

function failed(check: string, error: unknown): Finding {
  return problem(check, `cannot be checked: ${messageOf(error)}`);
}
