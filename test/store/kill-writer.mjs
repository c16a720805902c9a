/** Inserts tasks until it is killed, and prints each id once its commit is acknowledged. Arguments: store module, data directory. */
import fs from 'node:fs';
import process from 'node:process';

const [, , storeModule, dataDir] = process.argv;
const { openStore } = await import(storeModule);
const store = openStore({ dataDir, now: Date.now });
const path = `${dataDir}/x`;
const request = {
  execution: { kind: 'command', program: '/bin/true', args: [], env: {} },
  limits: { wall_time_ms: 1, stdout_max_bytes: 1, stderr_max_bytes: 1 },
  sandbox: { profile: 'process', chroot: false },
  policy: { priority: 0 },
  metadata: {},
};

async function submit(task_id) {
  await store.commits.write(() =>
    store.newTasks.insert({
      task_id,
      request,
      request_json: JSON.stringify(request),
      plan: {},
      reservation: { task_slots: 1 },
      created_at_ms: Date.now(),
      paths: {
        task_dir: path,
        workspace_dir: path,
        request_path: path,
        result_path: path,
        stdout_path: path,
        stderr_path: path,
        script_path: null,
      },
      events: [{ event_type: 'submitted', timestamp_ms: Date.now() }],
    }),
  );
  fs.writeSync(1, `${task_id}\n`);
}

for (let i = 0; ; i += 8) await Promise.all(Array.from({ length: 8 }, (_, k) => submit(`t${i + k}`)));
