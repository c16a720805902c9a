import { expect, test } from 'vitest';
import { operation } from './documentation.js';

test('the documentation has the table of settings as it is; "npm run docs" writes it', async () => {
  const { current, wanted } = await operation();
  expect(current).toBe(wanted);
});
