/** What black-box tests are written with. */
export { cgroupName } from './cgroups.js';
export { type CliOptions, type CliResult, execgo } from './cli.js';
export { type Daemon, type DaemonOptions, type LogLine, startDaemon } from './daemon.js';
export { EXECGO_IN_TASK, EXECUTABLE, execgoCommand, TASKS_HAVE_NODE } from './executable.js';
export { type Answer, http, type HttpClient, type RequestOptions } from './http.js';
export { isAlive, listProcesses, openFds, type ProcessInfo, processesOf } from './proc.js';
export { command, eventTypes, script, submit, submitAndWait, waitForEnd } from './tasks.js';
export { startReceiver, type Received, type Receiver } from './receiver.js';
export { inTerminal } from './terminal.js';
export { tempDir } from './temp-dir.js';
export { waitFor, waitGone, type WaitOptions } from './wait.js';
