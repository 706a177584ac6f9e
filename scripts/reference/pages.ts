/** The pages of `docs/layers/`, one a layer: what stands in its file, made anew where it is generated. */
import { readFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';
import type { Checks } from '../../src/check/definition.js';
import { withAnswers } from './examples.js';
import { withRegions } from './regions.js';

/** @param root the repository */
export function pathOf({ layer }: Checks, root: URL): URL {
  return new URL(`docs/layers/${layer.name}.md`, root);
}

/**
 * The page as it should stand.
 * @param origin where a service listens that answers its requests
 */
export async function regenerated(checks: Checks, root: URL, origin: string): Promise<string> {
  const path = pathOf(checks, root);
  const page = await withAnswers(withRegions(await readFile(path, 'utf8'), checks), origin);
  return format(page, { ...(await resolveConfig(path)), parser: 'markdown' });
}
