/** Dropout of nested arrays of any depth. Backward is the same function as forward, applied to dout. */
import type { Answers, Nested } from '../../definition.js';

interface Given {
  x: Nested;
  mask?: Nested | undefined;
  rate: number;
  training: boolean;
  scaling: 'inverted' | 'test_time';
  dout?: Nested | undefined;
}

function scale(x: Nested, factor: number): Nested {
  return Array.isArray(x) ? x.map((each) => scale(each, factor)) : x * factor;
}

/** What the mask drops is 0; the rest is divided by `keep`. */
function drop(x: Nested, mask: Nested, keep: number): Nested {
  if (Array.isArray(x)) return x.map((each, i) => drop(each, (mask as Nested[])[i], keep));
  return mask === 0 ? 0 : x / keep;
}

export default function dropout({ x, mask, rate, training, scaling, dout }: Given): Answers {
  const keep = 1 - rate;
  const apply = (values: Nested): Nested => {
    if (training && mask !== undefined) return drop(values, mask, scaling === 'inverted' ? keep : 1);
    return scaling === 'inverted' ? values : scale(values, keep);
  };

  const out = apply(x);
  if (dout === undefined) return { out };
  return { out, dx: apply(dout) };
}
