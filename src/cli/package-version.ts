import { createRequire } from 'node:module';
import { getAsset, isSea } from 'node:sea';

/** The version in this package's `package.json`. */
export function packageVersion(): string {
  const { version } = (
    isSea()
      ? JSON.parse(getAsset('package.json', 'utf8'))
      : createRequire(import.meta.url)('execgo/package.json')
  ) as { version: string };
  return version;
}
