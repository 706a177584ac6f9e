/** The table of layers in `README.md`, made from their definitions. */
import { readFile } from 'node:fs/promises';
import { layers } from '../../src/layers/registry.js';
import { table } from './regions.js';

const REGION = /<!-- generated: layers -->.*?<!-- end -->/s;

/** @param root the repository */
export function readme(root: URL): URL {
  return new URL('README.md', root);
}

/** The file as it should be. */
export async function withLayers(root: URL): Promise<string> {
  const names = (fields: object) =>
    Object.keys(fields)
      .map((name) => `\`${name}\``)
      .join(', ');
  const rows = layers.map(({ name, reference, schemas: { inputs, gradients } }) => [
    `[\`${name}\`](docs/layers/${name}.md)`,
    reference.summary.replace(/\.$/, ''),
    names(inputs.properties),
    names(gradients.properties),
  ]);
  const written = table(['layer', '', 'tensors', 'gradients'], rows);
  return (await readFile(readme(root), 'utf8')).replace(
    REGION,
    `<!-- generated: layers -->\n\n${written}\n\n<!-- end -->`,
  );
}
