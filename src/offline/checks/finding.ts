/** The result of one check of `execgo doctor`. */
export interface Finding {
  /** What was checked, such as `database`. */
  check: string;
  /** `note`: something this host cannot do, or that is worth knowing. Only a `problem` needs somebody to act. */
  level: 'ok' | 'note' | 'problem';
  message: string;
  /** What to do about it. */
  advice?: string | undefined;
}

const finding =
  (level: Finding['level']) =>
  (check: string, message: string, advice?: string): Finding => ({ check, level, message, advice });

export const ok = finding('ok');
export const note = finding('note');
export const problem = finding('problem');
