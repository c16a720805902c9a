import { z } from 'zod';
import { parseNamedResources } from '../ledger/named-resource.js';
import { parseTenantQuota } from '../ledger/tenant-quota.js';
import { flagOf, optionOf, type Setting } from '../settings/setting.js';
import { SETTINGS, settingList, type Settings } from '../settings/settings.js';
import { either } from '../settings/words.js';
import type { NamedResources } from '../task/named-resource.js';
import { AllowList } from '../webhook/allow-list.js';
import { invalidInput } from '../task/errors.js';

/**
 * The values of the settings: from flags, otherwise from environment variables that are not empty, otherwise the defaults.
 * @param flags by their camel-case names, as commander gives them
 * @throws ExecgoError `invalid_input` that names the flag or variable and what it must be
 */
export function readSettings(flags: Readonly<Record<string, unknown>>, env: NodeJS.ProcessEnv): Settings {
  const named = read(SETTINGS.resources, flags[optionOf(SETTINGS.resources)], env) as NamedResources;
  const names = [...named.keys()];
  const values = settingList.map(([key, setting]) => [
    key,
    read(setting, flags[optionOf(setting)], env, names),
  ]);
  return Object.fromEntries(values) as Settings;
}

/** @param names the resources that the operator has named */
function read(
  setting: Setting,
  flag: unknown,
  env: NodeJS.ProcessEnv,
  names: readonly string[] = [],
): unknown {
  const variable = setting.env;
  const fromEnv = variable === undefined ? undefined : env[variable];
  const given = flag ?? (fromEnv === '' ? undefined : fromEnv) ?? defaultOf(setting);
  if (given === undefined) return undefined;
  const parsed = schemaOf(setting, names).safeParse(given);
  if (parsed.success) return parsed.data;
  const where = flag === undefined && variable !== undefined ? variable : flagOf(setting);
  throw invalidInput(
    `${where} ${parsed.error.issues[0]?.message ?? 'is not valid'}, not ${JSON.stringify(given)}`,
  );
}

/** The default as it would have been given. */
function defaultOf(setting: Setting): unknown {
  if (setting.kind === 'flag') return false;
  if (setting.repeatable) return [];
  return setting.default?.toString();
}

function schemaOf(setting: Setting, names: readonly string[]): z.ZodType {
  if (setting.kind === 'quota')
    return parsedBy(setting, (texts) => {
      const quotas = texts.map((text) => parseTenantQuota(text, names));
      return new Map(quotas.map(({ tenant, quota }) => [tenant, quota]));
    });
  if (setting.kind === 'resource') return parsedBy(setting, parseNamedResources);
  if (setting.kind === 'hosts') return parsedBy(setting, (texts) => new AllowList(texts));
  const one = itemSchema(setting);
  return setting.repeatable ? z.array(one).readonly() : one;
}

function itemSchema(setting: Exclude<Setting, { kind: 'quota' | 'resource' | 'hosts' }>): z.ZodType {
  switch (setting.kind) {
    case 'count':
      return count(setting.min ?? 0);
    case 'flag':
      return flag;
    case 'choice':
      return z.enum(
        setting.choices,
        setting.must ?? `must be ${either(setting.choices.map((word) => `"${word}"`))}`,
      );
    case 'mode':
      return mode;
    case 'absolute':
      return z.string().startsWith('/', 'must be an absolute path');
    case 'word':
      return z.string().min(1, 'must not be empty');
    case 'name':
      return z.string().trim().min(1, 'must not be empty');
    case 'text':
      return z.string();
  }
}

const wholeNumber = z
  .string()
  .regex(/^\d+$/, 'must be a whole number')
  .transform(Number)
  .pipe(z.number().max(Number.MAX_SAFE_INTEGER, 'must be at most 2^53-1'));

const count = (min: number) => wholeNumber.refine((n) => n >= min, `must be at least ${min}`);

/** A flag, or an environment variable with a word that people use for yes or no. */
const flag = z.union([z.boolean(), z.stringbool()], 'must be one of 1, true, yes, on, 0, false, no, off');

/** The mode of a socket: its owner may connect, and those others who may write to it. */
const mode = z
  .string()
  .regex(/^0?6[0246]{2}$/, 'must be an octal mode from 0600 to 0666, e.g. 0660')
  .transform((text) => parseInt(text, 8));

/** @throws ExecgoError `invalid_input` that says what is wrong with one of the texts */
const parsedBy = (setting: Setting, parse: (texts: readonly string[]) => object) =>
  z.array(z.string()).transform((texts) => {
    try {
      return parse(texts);
    } catch (error) {
      throw invalidInput(`${flagOf(setting)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  });
