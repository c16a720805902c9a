interface Common {
  /** As it is typed, with a word for its value: `--data-dir <path>`. */
  readonly flag: string;
  /** The environment variable that stands for the flag where that is not given. */
  readonly env?: string;
  /** What holds where neither is given, as it would be typed. A setting without one may be absent. */
  readonly default?: string | number;
  /** In words: what holds where there is no default, or what the default means. */
  readonly otherwise?: string;
  /** May be given several times. */
  readonly repeatable?: true;
  /** What the documentation adds to what the help says, with what joins the two. */
  readonly more?: string;
}

/** Words for people. What stands in backticks is typed so; what is no markdown shows them without. */
interface Explained {
  /** What it decides. */
  readonly help: string;
}

/** A whole number, at most 2^53-1. */
interface Count extends Common, Explained {
  readonly kind: 'count';
  /** The least that it may be; 0 where it is not said. */
  readonly min?: number;
}

/** Off unless it is given. */
interface Flag extends Common, Explained {
  readonly kind: 'flag';
  /** The config tells its opposite, under this name. */
  readonly opposite?: string;
}

/** One of several words, which are what its help says. */
interface Choice extends Common {
  readonly kind: 'choice';
  readonly choices: readonly string[];
  /** What another word is told to be, where that is not the list of them. */
  readonly must?: string;
}

/**
 * - `text`: anything, judged by what uses it
 * - `word`: not empty
 * - `name`: not empty, without the blanks around it
 * - `absolute`: an absolute path
 */
interface Text extends Common, Explained {
  readonly kind: 'text' | 'word' | 'name' | 'absolute';
}

/** The rights on a socket, in octal. */
interface Mode extends Common, Explained {
  readonly kind: 'mode';
  /** What names the socket: the config tells the rights only where there is one. */
  readonly goesWith: 'listenSocket';
}

/** What one tenant may have. */
interface Quota extends Common, Explained {
  readonly kind: 'quota';
  readonly repeatable: true;
}

/** Everything that is known of a setting. */
export type Setting = Count | Flag | Choice | Text | Mode | Quota;

/** The flag alone: `--data-dir`. */
export function flagOf(setting: Setting): string {
  return setting.flag.split(' ', 1)[0] ?? setting.flag;
}

/** Under which name commander hands over what was given: `dataDir`. */
export function optionOf(setting: Setting): string {
  return flagOf(setting)
    .slice('--'.length)
    .replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** What the config calls it: `data_dir`. @param key its name in the table */
export function toldAs(key: string, setting: Setting): string {
  return (
    (setting.kind === 'flag' ? setting.opposite : undefined) ??
    key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  );
}
