/**
 * Loaded into a Node process with --require: on SIGUSR2 writes what keeps its event loop alive (timers, sockets, watchers) to
 * the file that TEST_ACTIVE_RESOURCES names, whole at once.
 */
const process = require('node:process');
const { renameSync, writeFileSync } = require('node:fs');
const { isMainThread } = require('node:worker_threads');

const file = process.env.TEST_ACTIVE_RESOURCES;
if (isMainThread && file !== undefined)
  process.on('SIGUSR2', () => {
    writeFileSync(`${file}.new`, JSON.stringify(process.getActiveResourcesInfo()));
    renameSync(`${file}.new`, file);
  });
