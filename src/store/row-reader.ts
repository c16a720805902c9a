import { isPlainObject } from '../task/plain-object.js';
import { parseJson } from './database/json.js';

/** The largest distance of a date from 1970, in milliseconds. */
const LAST_TIME_MS = 8.64e15;

/**
 * Reads the values of a row that anybody may have written: SQLite keeps any value in any column, whatever the column's type.
 * A value of the wrong kind is read as empty, and its name is remembered.
 */
export class RowReader {
  /** Names of the columns, and of members of their JSON, that could not be read. */
  readonly unreadable: string[] = [];

  /** A whole number that is exact and, if `min` is given, not below it. */
  whole(name: string, value: unknown, min = Number.MIN_SAFE_INTEGER): number | null {
    if (value === null || (Number.isSafeInteger(value) && (value as number) >= min))
      return value as number | null;
    return this.cannot(name);
  }

  /** Unix milliseconds that are a valid date. */
  time(name: string, value: unknown): number | null {
    const ms = this.whole(name, value);
    return ms === null || Math.abs(ms) <= LAST_TIME_MS ? ms : this.cannot(name);
  }

  text(name: string, value: unknown): string | null {
    return value === null || typeof value === 'string' ? value : this.cannot(name);
  }

  /** The value of a JSON column, which must satisfy `is`; null when the column is empty or holds `null`. */
  json<T>(name: string, text: unknown, is: (value: unknown) => value is T): T | null {
    if (text === null) return null;
    const value = typeof text === 'string' ? parseJson(text) : null;
    if (value === null) return text === 'null' ? null : this.cannot(name);
    return is(value) ? value : this.cannot(name);
  }

  /** An object of numbers; other members are left out. Null when `required` is missing. */
  numbers(name: string, text: unknown, required: string): Record<string, number> | null {
    const found = this.json(name, text, isPlainObject);
    if (found === null) return null;
    const entries = Object.entries(found).filter(([, value]) => Number.isFinite(value));
    if (entries.length < Object.keys(found).length || !entries.some(([key]) => key === required))
      this.cannot(name);
    return entries.some(([key]) => key === required)
      ? (Object.fromEntries(entries) as Record<string, number>)
      : null;
  }

  /** Remembers that a value could not be read. */
  cannot(name: string): null {
    if (!this.unreadable.includes(name)) this.unreadable.push(name);
    return null;
  }
}
