import { at } from '../tensors/tensor.js';
import { texFactor, texNumber } from '../tensors/format.js';
import type { Explain, Feed } from './explanation.js';

/** `out = x · mask / (1 − rate)` and its variants; backward is the same with dout instead of x. */
export const explainDropout: Explain = ({ tensor, index }, { inputs, options, outputs, upstream }) => {
  const { mask } = outputs;
  const rate = Number(options.rate);
  const inverted = options.scaling === 'inverted';
  const from = tensor === 'out' ? 'x' : 'dout';
  const source = tensor === 'out' ? inputs.x : upstream.dout;
  const symbol = tensor === 'out' ? 'x' : String.raw`\text{dout}`;
  if (tensor === 'mask' && mask)
    return {
      value: at(mask, index),
      formula: String.raw`\text{mask}_i = \begin{cases} 0 & \text{with probability rate} \\ 1 & \text{otherwise} \end{cases}`,
      filled: [String.raw`\text{rate} = ${texNumber(rate)}, \; \text{mask} = ${at(mask, index)}`],
      feeds: [],
      note: 'The seed determines the mask: the same seed, shape and rate always produce the same mask.',
    };
  if (!source || (tensor !== 'out' && tensor !== 'dx')) return undefined;
  const value = at(source, index);
  const own: Feed = { tensor: from, index, weight: 1 };
  const name = String.raw`\text{${tensor}}_i`;
  if (options.training !== true) {
    const factor = inverted ? 1 : 1 - rate;
    const result = rate === 1 && !inverted ? 0 : value * factor;
    return {
      value: result,
      formula: `${name} = ${symbol}_i${inverted ? '' : String.raw` \, (1 - \text{rate})`}`,
      filled: [`${texNumber(value)}${inverted ? '' : String.raw` \cdot ${texNumber(factor)} = ${texNumber(result)}`}`],
      feeds: [own],
      note: 'Inference: nothing is dropped.',
    };
  }
  if (!mask) return undefined;
  const kept = at(mask, index);
  const result = kept === 0 ? 0 : inverted ? value / (1 - rate) : value;
  return {
    value: result,
    formula: inverted
      ? String.raw`${name} = \frac{${symbol}_i \, \text{mask}_i}{1 - \text{rate}}`
      : String.raw`${name} = ${symbol}_i \, \text{mask}_i`,
    filled: [
      inverted && rate < 1
        ? String.raw`\frac{${texFactor(value)} \cdot ${kept}}{1 - ${texNumber(rate)}} = ${texNumber(result)}`
        : String.raw`${texFactor(value)} \cdot ${kept} = ${texNumber(result)}`,
    ],
    feeds: [own, { tensor: 'mask', index, weight: 1 }],
    note:
      kept === 0
        ? 'Dropped: nothing passes here, forward or backward.'
        : 'Kept. Inverted scaling divides it by 1 − rate, so that the expected value stays the same.',
  };
};
