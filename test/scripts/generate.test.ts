import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { generated } from '../../scripts/generate/generate.js';

const root = new URL('../../', import.meta.url);

it.each(await generated(root))('%s is what `npm run generate` writes', async (path, text) => {
  expect(await readFile(new URL(path, root), 'utf8')).toBe(text);
});
