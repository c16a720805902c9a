import { expect, test } from 'vitest';
import { loadConfig } from '../../src/daemon/config.js';
import { configView } from '../../src/runtime/views/config-view.js';
import { flagOf, optionOf, toldAs, type Setting } from '../../src/settings/setting.js';
import { settingList } from '../../src/settings/settings.js';

/** A setting as commander would hand it over, with what else it needs. */
const given = (setting: Setting, value: unknown) => ({
  ...(setting.kind === 'mode' ? { listenSocket: '/run/socket' } : {}),
  [optionOf(setting)]: setting.repeatable ? [value] : value,
});

test('no two settings share a flag, a variable or a name in the config', () => {
  const names = (of: (key: string, setting: Setting) => string | undefined) =>
    settingList.map(([key, setting]) => of(key, setting)).filter((name) => name !== undefined);
  for (const all of [
    names((_, setting) => flagOf(setting)),
    names((_, setting) => setting.env),
    names(toldAs),
  ])
    expect(new Set(all).size).toBe(all.length);
});

test('the config has a value for every setting, under its name, and nothing else', () => {
  expect(Object.keys(configView(loadConfig({}, {})))).toEqual(
    settingList.map(([key, setting]) => toldAs(key, setting)),
  );
});

test('a default is a value that may be given, and gives the same', () => {
  for (const [key, setting] of settingList) {
    if (setting.default === undefined) continue;
    const config = loadConfig(given(setting, String(setting.default)), {});
    expect([key, config[key]]).toEqual([key, loadConfig({}, {})[key]]);
  }
});

test('a number may be its least and no less, and the message names flag and bound', () => {
  for (const [key, setting] of settingList) {
    if (setting.kind !== 'count') continue;
    const least = setting.min ?? 0;
    expect(loadConfig(given(setting, String(least)), {})[key]).toBe(least);
    const told = least === 0 ? 'must be a whole number' : `must be at least ${least}`;
    expect(() => loadConfig(given(setting, String(least - 1)), {})).toThrow(`${flagOf(setting)} ${told}`);
    for (const text of ['', ' 5', '1.5', '0x10', '1e3', 'many', '9007199254740992'])
      expect(() => loadConfig(given(setting, text), {})).toThrow(`${flagOf(setting)} must be `);
  }
});

test('a word that is not one of the choices is refused, each that is one is taken', () => {
  for (const [key, setting] of settingList) {
    if (setting.kind !== 'choice') continue;
    for (const word of setting.choices) expect(loadConfig(given(setting, word), {})[key]).toBe(word);
    for (const word of ['', 'other', setting.choices[0]?.toUpperCase()])
      expect(() => loadConfig(given(setting, word), {})).toThrow(`${flagOf(setting)} must be `);
  }
});

/** A value that is not the default. */
function another(setting: Setting): string {
  switch (setting.kind) {
    case 'count':
      return String((setting.min ?? 0) + 1);
    case 'flag':
      return 'yes';
    case 'choice':
      return setting.choices.find((word) => word !== setting.default) ?? '';
    default:
      return 'another';
  }
}

test('a variable does what its flag does, yields to it, counts as absent when empty, and is named when wrong', () => {
  const withVariables = settingList.filter(([, setting]) => setting.env !== undefined);
  expect(withVariables.length).toBeGreaterThan(0);
  for (const [key, setting] of withVariables) {
    const env = (value: string) => ({ [setting.env ?? '']: value });
    const value = another(setting);
    const asFlag = loadConfig(given(setting, value), {})[key];
    expect([key, asFlag]).not.toEqual([key, loadConfig({}, {})[key]]);
    expect([key, loadConfig({}, env(value))[key]]).toEqual([key, asFlag]);
    expect([key, loadConfig({}, env(''))[key]]).toEqual([key, loadConfig({}, {})[key]]);
    expect([key, loadConfig(given(setting, value), env('?'))[key]]).toEqual([key, asFlag]);
    if (setting.kind !== 'word')
      expect(() => loadConfig({}, env('?'))).toThrow(`${setting.env ?? ''} must be `);
  }
});
