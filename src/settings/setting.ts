interface Common {
  /** The flag and a word for its value: `--data-dir <path>`. */
  readonly flag: string;
  /** The environment variable that is used when the flag is not given. */
  readonly env?: string;
  /** The value when neither is given, as it would be typed. A setting without default may be absent. */
  readonly default?: string | number;
  /** In words: the value when there is no default, or what the default means. */
  readonly otherwise?: string;
  /** May be given several times. */
  readonly repeatable?: true;
  /** What the documentation adds to the help, with the text that joins the two. */
  readonly more?: string;
}

/** Words for people. Text in backticks is to be typed; outside of markdown it is shown without them. */
interface Explained {
  /** What the setting does. */
  readonly help: string;
}

/** A whole number, at most 2^53-1. */
interface Count extends Common, Explained {
  readonly kind: 'count';
  /** The smallest value; 0 if absent. */
  readonly min?: number;
}

/** False unless it is given. */
interface Flag extends Common, Explained {
  readonly kind: 'flag';
  /** The config shows the opposite value, under this name. */
  readonly opposite?: string;
}

/** One of several words; the help lists them. */
interface Choice extends Common {
  readonly kind: 'choice';
  readonly choices: readonly string[];
  /** The message for any other word, if it is not the list of words. */
  readonly must?: string;
}

/**
 * - `text`: anything; the code that uses it checks it
 * - `word`: not empty
 * - `name`: not empty, without blanks at its ends
 * - `absolute`: an absolute path
 */
interface Text extends Common, Explained {
  readonly kind: 'text' | 'word' | 'name' | 'absolute';
}

/** The mode of a socket, in octal. */
interface Mode extends Common, Explained {
  readonly kind: 'mode';
  /** The setting that names the socket: without a socket the config shows no mode. */
  readonly goesWith: 'listenSocket';
}

/** The quota of one tenant. */
interface Quota extends Common, Explained {
  readonly kind: 'quota';
  readonly repeatable: true;
}

/** One named resource. */
interface Resource extends Common, Explained {
  readonly kind: 'resource';
  readonly repeatable: true;
}

/** Hosts that messages may go to. */
interface Hosts extends Common, Explained {
  readonly kind: 'hosts';
  readonly repeatable: true;
}

/** Everything that is known about a setting. */
export type Setting = Count | Flag | Choice | Text | Mode | Quota | Resource | Hosts;

/** The flag alone: `--data-dir`. */
export function flagOf(setting: Setting): string {
  return setting.flag.split(' ', 1)[0] ?? setting.flag;
}

/** The name under which commander stores the value: `dataDir`. */
export function optionOf(setting: Setting): string {
  return flagOf(setting)
    .slice('--'.length)
    .replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** The name in the config: `data_dir`. @param key its name in the table */
export function toldAs(key: string, setting: Setting): string {
  return (
    (setting.kind === 'flag' ? setting.opposite : undefined) ??
    key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  );
}
