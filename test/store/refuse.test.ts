import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { backupDatabase } from '../../src/store/database/backup.js';
import { checkDatabase } from '../../src/store/database/check.js';
import { ExecgoError } from '../../src/task/errors.js';
import { tempDir } from '../harness/temp-dir.js';
import { insert, openedStore, rawDatabase } from './support.js';

/** A database with a task in it, closed. */
async function database(change: (path: string, dir: string) => void): Promise<{ dir: string; path: string }> {
  const dir = tempDir();
  const store = openedStore(dir);
  for (const id of ['a', 'b', 'c']) await insert(store, id, { metadata: { blob: 'x'.repeat(5000) } });
  store.close();
  const path = join(dir, 'runtime.db');
  change(path, dir);
  return { dir, path };
}

function alter(sql: string) {
  return (_path: string, dir: string) => {
    const db = rawDatabase(dir);
    db.exec(sql);
    db.close();
  };
}

function overwrite(path: string, offset: number, length: number): void {
  const fd = fs.openSync(path, 'r+');
  fs.writeSync(fd, Buffer.alloc(length, 0x5a), 0, length, offset);
  fs.closeSync(fd);
}

const REFUSED: Record<string, [change: (path: string, dir: string) => void, message: RegExp]> = {
  'a newer database': [
    alter("INSERT INTO schema_migrations VALUES (1000, 'later', 'x', 1)"),
    /newer execgo \(migration 1000 "later".*start that version/,
  ],
  'a changed checksum': [
    alter("UPDATE schema_migrations SET checksum = 'x' WHERE id = 2"),
    /migration 2 .*checksum/,
  ],
  'a gap in the migrations': [alter('DELETE FROM schema_migrations WHERE id = 1'), /checksum differs/],
  'a file that is no database': [
    (path) => fs.writeFileSync(path, 'hello, this is text'),
    /not a SQLite database/,
  ],
  'a damaged schema': [(path) => overwrite(path, 100, 3000), /damaged.*restore a backup/],
  'a damaged table': [
    (path) => overwrite(path, 4096, fs.statSync(path).size - 4096),
    /damaged.*restore a backup/,
  ],
  'a truncated file': [(path) => fs.truncateSync(path, 8192), /damaged.*restore a backup/],
  'another program’s database': [
    (path, dir) => {
      fs.rmSync(path);
      const db = rawDatabase(dir);
      db.exec('CREATE TABLE songs (title TEXT)');
      db.close();
    },
    /not a database of execgo/,
  ],
  'a read-only file': [(path) => fs.chmodSync(path, 0o400), /read-only.*chmod/],
  'a directory in its place': [
    (path) => {
      fs.rmSync(path);
      fs.mkdirSync(path);
    },
    /not a regular file/,
  ],
};

describe('refused, and left as it was:', () => {
  for (const [what, [change, message]] of Object.entries(REFUSED))
    test(what, async () => {
      const { dir, path } = await database(change);
      const state = () => {
        const stat = fs.statSync(path);
        const bytes = stat.isFile() ? fs.readFileSync(path).toString('latin1') : '';
        return [fs.readdirSync(dir), stat.mode, stat.mtimeMs, bytes];
      };
      const before = state();
      let refusal: unknown;
      try {
        openedStore(dir);
      } catch (error) {
        refusal = error;
      }
      expect(refusal).toBeInstanceOf(ExecgoError);
      expect(refusal).toMatchObject({ code: 'internal' });
      expect((refusal as Error).message).toMatch(message);
      expect((refusal as Error).message).toContain(path);
      expect(state()).toEqual(before);
      expect(checkDatabase(path)).toHaveLength(1);
      expect(state()).toEqual(before);
    });

  const LOST: Record<string, (path: string) => void> = {
    'a missing database': (path) => fs.rmSync(path),
    'an empty one': (path) => fs.truncateSync(path, 0),
    'one that has lost all its rows': (path) => {
      fs.rmSync(path);
      openedStore(dirname(path)).close();
    },
  };
  for (const [what, lose] of Object.entries(LOST))
    test(`${what} beside files of tasks, which nobody would know any more`, async () => {
      const { dir, path } = await database(lose);
      fs.mkdirSync(join(dir, 'tasks', 'a'), { recursive: true });
      fs.writeFileSync(join(dir, 'tasks', 'a', 'result.json'), '{}\n');
      const before = fs.readdirSync(dir);
      expect(() => openedStore(dir)).toThrow(
        /cannot open the database .*tasks holds files of tasks: restore/,
      );
      expect(fs.readdirSync(dir)).toEqual(before);
      fs.renameSync(join(dir, 'tasks'), join(dir, 'aside'));
      openedStore(dir).close();
      expect(fs.existsSync(path)).toBe(true);
    });

  test('but not what a crash within the first submit has left', () => {
    const dir = tempDir();
    openedStore(dir).close();
    fs.mkdirSync(join(dir, 'tasks', 'a', 'workspace'), { recursive: true });
    openedStore(dir).close();
  });

  test.runIf(process.geteuid?.() === 0)('a file of another user', async () => {
    const { dir, path } = await database((file) => fs.chownSync(file, 12_345, 12_345));
    expect(() => openedStore(dir)).toThrow('belongs to user 12345');
    expect(fs.statSync(path).uid).toBe(12_345);
  });
});

describe('the full check', () => {
  test('finds nothing in a good database, also beside a daemon', async () => {
    const dir = tempDir();
    const store = openedStore(dir);
    await insert(store, 'a');
    expect(checkDatabase(join(dir, 'runtime.db'))).toEqual([]);
    store.probe();
  });

  test('finds damage that opening does not look for', async () => {
    const dir = tempDir();
    const store = openedStore(dir);
    await Promise.all(Array.from({ length: 300 }, (_, i) => insert(store, `t${i}`)));
    store.close();
    const db = rawDatabase(dir);
    const leaf = db
      .prepare("SELECT pageno FROM dbstat WHERE name = 'idx_task_events_task_seq' AND pagetype = 'leaf'")
      .pluck()
      .get() as number;
    db.close();
    const path = join(dir, 'runtime.db');
    overwrite(path, (leaf - 1) * 4096, 4096);
    openedStore(dir).close();
    expect(checkDatabase(path).length).toBeGreaterThan(0);
  });

  test('says that there is none', () => {
    expect(checkDatabase(join(tempDir(), 'runtime.db'))).toEqual(['it does not exist']);
  });
});

describe('a backup', () => {
  test('is a private, complete database that opens', async () => {
    const dir = tempDir();
    const store = openedStore(dir);
    for (let i = 0; i < 50; i++) await insert(store, `t${i}`);
    const target = tempDir();
    const path = join(target, 'runtime.db');
    const source = join(dir, 'runtime.db');
    const [, late] = await Promise.all([backupDatabase(source, path), insert(store, 'late')]);
    expect(late.inserted).toBe(true);
    expect(fs.readdirSync(target)).toEqual(['runtime.db']);
    expect(fs.statSync(path).mode & 0o777).toBe(0o600);
    expect(openedStore(target).tasks.live().length).toBeGreaterThanOrEqual(50);
    await expect(backupDatabase(source, path)).rejects.toMatchObject({ code: 'conflict' });
  });

  test('that fails leaves nothing', async () => {
    const dir = tempDir();
    openedStore(dir);
    const target = tempDir();
    const backup = (from: string, to: string) => backupDatabase(join(from, 'runtime.db'), join(target, to));
    await expect(backup(dir, 'no/such/dir')).rejects.toThrow();
    await expect(backup(tempDir(), 'copy')).rejects.toThrow('does not exist');
    expect(fs.readdirSync(target)).toEqual([]);
  });
});
