import { Distributions } from './distributions.js';
import { Survival } from './survival.js';
import { TimeLines } from './time-lines.js';
import { SlidingWindow } from './sliding-window.js';

const pictures: Readonly<Record<string, () => preact.JSX.Element | null>> = {
  batchnorm: Distributions,
  convolution: SlidingWindow,
  dropout: Survival,
  lstm: TimeLines,
  pooling: SlidingWindow,
  rnn: TimeLines,
};

/** The picture of a layer, if it has one. */
export function Picture({ layer }: { layer: string }) {
  const Found = pictures[layer] as (typeof pictures)[string] | undefined;
  return Found ? <Found /> : null;
}
