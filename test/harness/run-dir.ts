/** Start of the name of every temporary directory and cgroup of a test run. */
export const TEST_PREFIX = 'execgo-test-';

/**
 * Name of the environment variable that holds the run's own temporary directory. TMPDIR points there too, for the test
 * processes, the daemons they start and (it is one of the variables that a task inherits) the tasks of those: so what
 * belongs to this run can be told from what another run on the same machine does.
 */
export const RUN_DIR_VARIABLE = 'EXECGO_TEST_RUN_DIR';
