/** The generated source files. */
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { layers } from '../../src/layers/registry.js';
import { bridge } from './bridge.js';
import { registries } from './registries.js';

/**
 * @param root the root of the repository
 * @returns the expected contents of the generated files, by path from the root
 */
export async function generated(root: URL): Promise<[path: string, text: string][]> {
  return Promise.all(
    Object.entries({ ...bridge(root), ...registries(layers) }).map(async ([path, text]): Promise<[string, string]> => {
      const options = await resolveConfig(fileURLToPath(new URL(path, root)));
      return [path, await format(text, { ...options, parser: 'typescript' })];
    }),
  );
}
