import { isPlainObject } from '../task/plain-object.js';
import { parseJson } from './database/json.js';

/** As far as a date reaches, in milliseconds on both sides of 1970. */
const LAST_TIME_MS = 8.64e15;

/**
 * Reads the values of one row of which nobody knows who wrote it. SQLite keeps in any column what it is given, whatever type
 * the column says. What is of another kind than it should be is read as empty, and its name remembered.
 */
export class RowReader {
  /** Names of the columns that could not be read, and of members of their JSON. */
  readonly unreadable: string[] = [];

  /** A whole number that is exact, and not below `min` where that is given. */
  whole(name: string, value: unknown, min = Number.MIN_SAFE_INTEGER): number | null {
    if (value === null || (Number.isSafeInteger(value) && (value as number) >= min))
      return value as number | null;
    return this.cannot(name);
  }

  /** Unix milliseconds that are a date. */
  time(name: string, value: unknown): number | null {
    const ms = this.whole(name, value);
    return ms === null || Math.abs(ms) <= LAST_TIME_MS ? ms : this.cannot(name);
  }

  text(name: string, value: unknown): string | null {
    return value === null || typeof value === 'string' ? value : this.cannot(name);
  }

  /** The value of a JSON column, which must pass `is`; null where the column is empty, or holds `null`. */
  json<T>(name: string, text: unknown, is: (value: unknown) => value is T): T | null {
    if (text === null) return null;
    const value = typeof text === 'string' ? parseJson(text) : null;
    if (value === null) return text === 'null' ? null : this.cannot(name);
    return is(value) ? value : this.cannot(name);
  }

  /** An object of numbers: other members are left out. Null where `required` is missing. */
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

  /** Remembers that a value is none. */
  cannot(name: string): null {
    if (!this.unreadable.includes(name)) this.unreadable.push(name);
    return null;
  }
}
