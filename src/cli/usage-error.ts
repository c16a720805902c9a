/** The command line itself is wrong: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** With this code commander names the option in its message when a value is refused. */
  readonly code = 'commander.invalidArgument';
  readonly exitCode = 2;
}

/** A flag that the command does not have. */
export class UnknownOption extends UsageError {
  /** @param typed as it stands on the command line. @param known the flags that it has */
  constructor(
    message: string,
    readonly typed: string,
    readonly known: readonly string[],
    readonly help: string,
  ) {
    super(`${message}; ${help}`);
  }
}
