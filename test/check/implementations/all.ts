import { samples } from '../../layers/samples.js';
import type { Implementation } from './implementation.js';

/** By layer name. */
export const implementations: Readonly<Record<string, Implementation>> = Object.fromEntries(
  Object.entries(samples).map(([name, { implementation }]) => [name, implementation]),
);
