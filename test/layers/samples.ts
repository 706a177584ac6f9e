/** The samples of all layers, each from its file in `samples/`. */
import { layers } from '../../src/layers/registry.js';
import type { Sample } from './samples/sample.js';

const load = async (name: string) => ((await import(`./samples/${name}.ts`)) as { sample: Sample }).sample;

/** By layer name. */
export const samples: Readonly<Record<string, Sample>> = Object.fromEntries(
  await Promise.all(layers.map(async ({ name }) => [name, await load(name)] as const)),
);
