/**
 * Explains a cell of an output, for any layer. The layer's backward pass, with an upstream gradient of 1 at the cell
 * and 0 elsewhere, returns a row of the Jacobian: the derivatives of the cell with respect to every input.
 */
import type { LayerEntry } from '../state/catalogue.js';
import { texNumber } from '../tensors/format.js';
import { indicesOf, nest, type Nested } from '../tensors/tensor.js';
import type { Call, Cell, Explanation } from './explanation.js';

/** The upstream gradients for the row; `undefined` if the cell is not in an output that has a gradient. */
export function oneAt(
  { tensor, index }: Cell,
  entry: LayerEntry,
  { outputs }: Call,
): Record<string, Nested> | undefined {
  const { tensors } = entry.backward;
  const own = `d${tensor}`;
  if (!(own in tensors)) return undefined;
  const names = Object.keys(tensors).filter((name) => name === own || tensors[name].required);
  return Object.fromEntries(
    names.map((name) => {
      const shape = outputs[name.slice(1)]?.shape ?? [];
      const isOne = (at: readonly number[]) => name === own && String(at) === String(index);
      return [
        name,
        nest(
          indicesOf(shape).map((at) => Number(isOne(at))),
          shape,
        ),
      ];
    }),
  );
}

/** How many derivatives are written out, the largest first. */
const MOST_WRITTEN = 6;

const texCell = ({ tensor, index }: Cell): string =>
  String.raw`\text{${tensor.replaceAll('_', String.raw`\_`)}}_{${index.join(', ')}}`;

/** @param row gradients that the layer's backward pass returned for {@link oneAt} */
export function explainByRow(cell: Cell, value: number, row: Call['gradients']): Explanation {
  const feeds = Object.entries(row)
    .flatMap(([name, gradient]) =>
      gradient
        ? indicesOf(gradient.shape).map((index, i) => ({ tensor: name.slice(1), index, weight: gradient.data[i] }))
        : [],
    )
    .filter(({ weight }) => weight !== 0)
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
  const own = texCell(cell);
  return {
    value,
    formula: String.raw`${own} = f(${Object.keys(row)
      .map((name) => String.raw`\text{${name.slice(1).replaceAll('_', String.raw`\_`)}}`)
      .join(', ')}) = ${texNumber(value)}`,
    filled: feeds
      .slice(0, MOST_WRITTEN)
      .map((feed) => String.raw`\frac{\partial \, ${own}}{\partial \, ${texCell(feed)}} = ${texNumber(feed.weight)}`),
    feeds,
    note: `${
      feeds.length === 0
        ? 'All derivatives of this cell are 0.'
        : 'The highlighted cells affect this one: the brighter the cell, the larger the derivative.'
    } The derivatives come from the layer’s backward pass with an upstream gradient of 1 at this cell and 0 elsewhere.`,
  };
}
