import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readText } from '../../files/read-text.js';

/**
 * The block devices that something can be read from or written to now, as `major:minor`: whole ones, because the kernel limits no
 * partition by itself.
 * @throws Error for people where there is none
 */
export function blockDevices(directory = '/sys/block'): string[] {
  const devices = readdirSync(directory).flatMap((name) => {
    // Undefined for a device that has just gone.
    const text = (file: string) => readText(join(directory, name, file))?.trim();
    // A loop device without a file has no size; a path of a multipath device is hidden and cannot be named.
    const usable = text('size') !== '0' && text('hidden') !== '1';
    const device = text('dev');
    return usable && device !== undefined ? [device] : [];
  });
  if (devices.length === 0) throw new Error(`there is no block device in ${directory}`);
  return devices;
}
