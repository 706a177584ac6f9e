import { product } from '../../src/tensor/windows.js';
import { at, indicesOf, offsetOf, sizeOf, type Index, type Shape, type Tensor } from '../tensors/tensor.js';
import { MOST_PRODUCTS, sumExplanation, term, type Call, type Cell, type Explain, type Term } from './explanation.js';
import { convolutionAxes, tapsOf, windowsOver } from './windows.js';

/**
 * A convolution connects two sides through its weight: the folded side, which the windows cover, and the windowed side,
 * with one cell per window. x is folded and out is windowed; in a transposed convolution it is the reverse.
 */
interface Sides {
  readonly axes: ReturnType<typeof convolutionAxes>;
  /** Channels per group on each side. */
  readonly folded: number;
  readonly windowed: number;
  readonly groups: number;
}

/** A tensor with its name. */
interface Named {
  readonly name: string;
  readonly tensor: Tensor;
}

const factor = ({ name, tensor }: Named, index: Index): readonly [Cell, number] => [
  { tensor: name, index },
  at(tensor, index),
];

function sidesOf({ inputs: { x, weight }, options }: Call): Sides | undefined {
  if (!x || !weight) return undefined;
  const groups = Number(options.groups);
  const axes = convolutionAxes(x.shape.slice(2), weight.shape.slice(2), options);
  return { axes, groups, windowed: weight.shape[0] / groups, folded: weight.shape[1] };
}

/** The terms of a cell on the windowed side, from those of its window on the folded side. */
function gather([n, o, ...place]: Index, folded: Named, weight: Named, sides: Sides): Term[] {
  const group = Math.floor(o / sides.windowed);
  const taps = tapsOf(sides.axes, place).filter(({ inside }) => inside);
  return Array.from({ length: sides.folded }, (_, c) => c).flatMap((c) =>
    taps.map(({ tap, input }) =>
      term(factor(folded, [n, group * sides.folded + c, ...input]), factor(weight, [o, c, ...tap])),
    ),
  );
}

/** The terms of a cell on the folded side, from all windows that cover it. */
function scatter([n, channel, ...input]: Index, windowed: Named, weight: Named, sides: Sides): Term[] {
  const group = Math.floor(channel / sides.folded);
  const c = channel % sides.folded;
  return Array.from({ length: sides.windowed }, (_, i) => group * sides.windowed + i).flatMap((o) =>
    windowsOver(sides.axes, input).map(({ place, tap }) =>
      term(factor(windowed, [n, o, ...place]), factor(weight, [o, c, ...tap])),
    ),
  );
}

function weightTerms([o, c, ...tap]: Index, folded: Named, windowed: Named, sides: Sides): Term[] {
  const group = Math.floor(o / sides.windowed);
  const kernel = sides.axes.map((axis) => axis.kernel);
  const tapOffset = offsetOf(kernel, tap);
  const places = indicesOf(sides.axes.map(({ output }) => output));
  return Array.from({ length: folded.tensor.shape[0] }, (_, n) => n).flatMap((n) =>
    places.flatMap((place) => {
      const { input, inside } = tapsOf(sides.axes, place)[tapOffset];
      return inside
        ? [term(factor(windowed, [n, o, ...place]), factor(folded, [n, group * sides.folded + c, ...input]))]
        : [];
    }),
  );
}

const biasFactor = (bias: Tensor, o: number) => term([{ tensor: 'bias', index: [o] }, at(bias, [o])]);

/** All cells of one channel. */
function ofChannel(shape: Shape, o: number): Index[] {
  const [N, , ...spatial] = shape;
  return sizeOf(shape) === 0 ? [] : indicesOf([N, ...spatial]).map(([n, ...place]) => [n, o, ...place]);
}

export const explainConvolution: Explain = ({ tensor, index }, call) => {
  const sides = sidesOf(call);
  const { x, weight, bias } = call.inputs;
  const { dout } = call.upstream;
  if (!sides || !x || !weight) return undefined;
  const places = product(sides.axes, 'output') * product(sides.axes, 'kernel');
  if (x.shape[0] * Math.max(x.shape[1], weight.shape[0]) * places > MOST_PRODUCTS) return undefined;
  const transposed = call.options.transposed === true;
  const w: Named = { name: 'weight', tensor: weight };
  const ofX: Named = { name: 'x', tensor: x };

  if (tensor === 'out') {
    const terms = transposed ? scatter(index, ofX, w, sides) : gather(index, ofX, w, sides);
    return sumExplanation(
      transposed
        ? String.raw`\text{out}_{n,o,i} = ${bias ? 'b_o + ' : ''}\sum_c \sum_{p,k \to i} x_{n,c,p} \, w_{c,o,k}`
        : String.raw`\text{out}_{n,o,p} = ${bias ? 'b_o + ' : ''}\sum_c \sum_k x_{n,c,\,p s - a + k d} \, w_{o,c,k}`,
      'Σ x · weight',
      bias ? [...terms, biasFactor(bias, index[1])] : terms,
    );
  }
  if (!dout) return undefined;
  const ofDout: Named = { name: 'dout', tensor: dout };
  switch (tensor) {
    case 'dx':
      return sumExplanation(
        transposed
          ? String.raw`\text{dx}_{n,c,p} = \sum_o \sum_k \text{dout}_{n,o,\,p s - a + k d} \, w_{c,o,k}`
          : String.raw`\text{dx}_{n,c,i} = \sum_o \sum_{p,k \to i} \text{dout}_{n,o,p} \, w_{o,c,k}`,
        'Σ dout · weight',
        transposed ? gather(index, ofDout, w, sides) : scatter(index, ofDout, w, sides),
      );
    case 'dweight':
      return sumExplanation(
        transposed
          ? String.raw`\text{dw}_{c,o,k} = \sum_n \sum_p x_{n,c,p} \, \text{dout}_{n,o,\,p s - a + k d}`
          : String.raw`\text{dw}_{o,c,k} = \sum_n \sum_p \text{dout}_{n,o,p} \, x_{n,c,\,p s - a + k d}`,
        'Σ dout · x',
        transposed ? weightTerms(index, ofDout, ofX, sides) : weightTerms(index, ofX, ofDout, sides),
      );
    case 'dbias':
      return sumExplanation(
        String.raw`\text{db}_o = \sum_n \sum_p \text{dout}_{n,o,p}`,
        'Σ dout',
        ofChannel(dout.shape, index[0]).map((place) => term(factor(ofDout, place))),
      );
    default:
      return undefined;
  }
};
