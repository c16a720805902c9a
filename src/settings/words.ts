import type { Setting } from './setting.js';

/** The help of a setting, for a terminal: what it does, its default and its environment variable. */
export function helpOf(setting: Setting): string {
  const origin = [
    ...labelled('default', [setting.default, setting.otherwise]),
    ...labelled('env', [setting.env]),
  ].join('; ');
  const text = [decides(setting), ...(setting.repeatable ? ['repeatable'] : [])].join('; ');
  return plain(origin === '' ? text : `${text} (${origin})`);
}

/**
 * The explanation of a setting for the documentation, in markdown, without its default: more than {@link helpOf}, and its
 * limits.
 */
export function explanationOf(setting: Setting): string {
  const { more = '', env } = setting;
  const min = setting.kind === 'count' ? (setting.min ?? 0) : 0;
  return [
    `${decides(setting)}${more}`,
    ...(min > 1 ? [`at least ${min}`] : []),
    ...(setting.repeatable ? ['repeatable'] : []),
    ...(env === undefined ? [] : [`env: \`${env}\``]),
  ].join('; ');
}

/** The value when a setting is not given, in markdown; empty for a flag that is off then. */
export function defaultOf(setting: Setting): string {
  if (setting.kind === 'flag') return '';
  const value = typeof setting.default === 'string' ? `\`${setting.default}\`` : setting.default;
  return listed([value, setting.otherwise]) || 'none';
}

function decides(setting: Setting): string {
  if (setting.kind !== 'choice') return setting.help;
  return either(setting.choices.map((word) => `\`${word}\``));
}

/** `a, b or c`. */
export function either(words: readonly string[]): string {
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`;
}

function labelled(label: string, parts: readonly (string | number | undefined)[]): string[] {
  const text = listed(parts);
  return text === '' ? [] : [`${label}: ${text}`];
}

const listed = (parts: readonly (string | number | undefined)[]) =>
  parts.filter((part) => part !== undefined).join(', ');

const plain = (markdown: string) => markdown.replaceAll('`', '');
