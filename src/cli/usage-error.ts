/** The command line itself is wrong: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** Lets commander name the option when a value is refused while it parses. */
  readonly code = 'commander.invalidArgument';
  readonly exitCode = 2;
}
