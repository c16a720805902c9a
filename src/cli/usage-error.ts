/** The command line itself is wrong: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** With this code commander names the option in its message when a value is refused. */
  readonly code = 'commander.invalidArgument';
  readonly exitCode = 2;
}
