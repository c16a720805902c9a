/** One thing that `execgo doctor` has looked at. */
export interface Finding {
  /** What was looked at, such as `database`. */
  check: string;
  /** `note`: something this host cannot do, or that is worth knowing; only a `problem` needs somebody to act. */
  level: 'ok' | 'note' | 'problem';
  message: string;
  /** What to do about it. */
  advice?: string | undefined;
}
