/** The pages of `docs/layers/`, one per layer, with their generated parts brought up to date. */
import { readFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';
import type { Checks } from '../../src/check/definition.js';
import { withAnswers } from './examples.js';
import { withRegions } from './regions.js';

/** @param root the root of the repository */
export function pathOf({ layer }: Checks, root: URL): URL {
  return new URL(`docs/layers/${layer.name}.md`, root);
}

/**
 * @param origin the address of a service that answers the page's requests
 * @returns the expected text of the page
 */
export async function regenerated(checks: Checks, root: URL, origin: string): Promise<string> {
  const path = pathOf(checks, root);
  const page = await withAnswers(withRegions(await readFile(path, 'utf8'), checks), origin);
  return format(page, { ...(await resolveConfig(path)), parser: 'markdown' });
}
