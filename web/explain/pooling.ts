import type { WindowAxis } from '../../src/tensor/windows.js';
import { at, offsetOf, type Index, type Tensor } from '../tensors/tensor.js';
import { texNumber } from '../tensors/format.js';
import { sumExplanation, sumOf, term, type Call, type Explain, type Explanation, type Term } from './explanation.js';
import { poolingAxes, tapsOf, windowsOver, type Tap } from './windows.js';

/** The divisor of an average. Taps in the padding count if `includePad` is true; taps beyond it never do. */
function countOf(axes: readonly WindowAxis[], place: Index, includePad: boolean): number {
  return tapsOf(axes, place).filter(({ input }) =>
    input.every((position, i) => {
      const { before, after, input: size } = axes[i];
      return includePad ? position >= -before && position < size + after : position >= 0 && position < size;
    }),
  ).length;
}

/** The tap with the maximum: the first of equal values. NaN is above all values; of several, the last one wins. */
function winnerOf(x: Tensor, plane: Index, taps: readonly Tap[]): Tap | undefined {
  let best: Tap | undefined;
  let most = -Infinity;
  for (const each of taps) {
    if (!each.inside) continue;
    const value = at(x, [...plane, ...each.input]);
    if (best && !(value > most || Number.isNaN(value))) continue;
    [best, most] = [each, value];
  }
  return best;
}

export const explainPooling: Explain = ({ tensor, index }, call) => {
  const { x } = call.inputs;
  if (!x) return undefined;
  const axes = poolingAxes(x.shape.slice(2), call.options);
  const plane = index.slice(0, 2);
  const place = index.slice(2);
  if (tensor === 'dx') return explainDx(plane, place, axes, x, call);
  const taps = tapsOf(axes, place).filter(({ inside }) => inside);
  const cells = taps.map(({ input }) => ({ tensor: 'x', index: [...plane, ...input] }));
  const values = cells.map((cell) => at(x, cell.index));

  if (call.options.mode === 'average') {
    const count = countOf(axes, place, call.options.count_include_pad === true);
    const sum = sumOf(values);
    return {
      ...sumExplanation(
        String.raw`\text{out}_{n,c,p} = \frac{1}{\text{count}_p} \sum_k x_{n,c,\,p s - a + k d}`,
        'Σ x',
        cells.map((cell, i) => term([cell, values[i]])),
      ),
      value: sum / count,
      filled: [String.raw`\text{out} = \frac{${texNumber(sum)}}{${count}} = ${texNumber(sum / count)}`],
      ...(taps.length < count ? { note: 'Taps in the padding add 0 but count in the divisor.' } : {}),
    };
  }
  const winner = winnerOf(x, plane, taps);
  if (!winner) return undefined;
  const value = at(x, [...plane, ...winner.input]);
  const feeds = cells.map((cell, i) => ({ ...cell, weight: taps[i] === winner ? 1 : 0.15 }));
  const listed = values.map((each) => texNumber(each)).join(String.raw`,\, `);
  const ties = values.filter((each) => each === value).length;
  const maximum: Explanation = {
    value,
    formula: String.raw`\text{out}_{n,c,p} = \max_k \, x_{n,c,\,p s - a + k d}`,
    filled: [String.raw`\max( ${listed} ) = ${texNumber(value)}`],
    feeds,
    ...(ties > 1
      ? { note: `${ties} cells are equal; the first of them counts as the maximum and gets the whole gradient.` }
      : {}),
  };
  if (tensor === 'out') return maximum;
  if (tensor !== 'indices') return undefined;
  const spatial = x.shape.slice(2);
  const position = offsetOf(spatial, winner.input);
  return {
    ...maximum,
    value: position,
    formula: String.raw`\text{index}_{n,c,p} = \operatorname{argmax}_k \, x_{n,c,\,p s - a + k d}`,
    filled: [String.raw`x[${winner.input.join(', ')}] \text{ has row-major index } ${position}`],
  };
};

function explainDx(
  plane: Index,
  input: Index,
  axes: readonly WindowAxis[],
  x: Tensor,
  call: Call,
): Explanation | undefined {
  const { dout } = call.upstream;
  if (!dout) return undefined;
  const windows = windowsOver(axes, input).map(({ place }) => place);
  const average = call.options.mode === 'average';
  const includePad = call.options.count_include_pad === true;
  const terms = windows.flatMap((place): Term[] => {
    const index = [...plane, ...place];
    const cell = { tensor: 'dout', index };
    if (average) return [term([cell, at(dout, index)], [undefined, 1 / countOf(axes, place, includePad)])];
    const winner = winnerOf(x, plane, tapsOf(axes, place));
    return winner?.input.every((position, i) => position === input[i]) ? [term([cell, at(dout, index)])] : [];
  });
  const lost = windows.length - terms.length;
  return {
    ...sumExplanation(
      average
        ? String.raw`\text{dx}_{n,c,i} = \sum_{p \ni i} \frac{\text{dout}_{n,c,p}}{\text{count}_p}`
        : String.raw`\text{dx}_{n,c,i} = \sum_{p:\, \operatorname{argmax}_p = i} \text{dout}_{n,c,p}`,
      average ? 'Σ dout · 1/count' : 'Σ dout',
      terms,
    ),
    ...(average
      ? {}
      : {
          note: `This cell is in ${windows.length} ${windows.length === 1 ? 'window' : 'windows'} and is the maximum of ${windows.length - lost}.`,
        }),
  };
}
