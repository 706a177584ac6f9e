import { at, indicesOf, type Index, type Tensor } from '../tensors/tensor.js';
import { sumExplanation, term, type Explain, type Term } from './explanation.js';

/** `out[n, …, o] = Σ_i x[n, …, i] · weight[o, i] + bias[o]`, and its gradients. */
export const explainLinear: Explain = ({ tensor, index }, { inputs: { x, weight, bias }, upstream: { dout } }) => {
  if (!x || !weight) return undefined;
  const [O, I] = weight.shape;
  const rows = indicesOf(x.shape.slice(0, -1));
  const product = (a: [string, Tensor, Index], b: [string, Tensor, Index]): Term =>
    term(...[a, b].map(([name, of, place]) => [{ tensor: name, index: place }, at(of, place)] as const));
  const last = index[index.length - 1];
  const row = index.slice(0, -1);

  if (tensor === 'out') {
    const terms = Array.from({ length: I }, (_, i) => product(['x', x, [...row, i]], ['weight', weight, [last, i]]));
    if (bias) terms.push(term([{ tensor: 'bias', index: [last] }, at(bias, [last])]));
    return sumExplanation(
      String.raw`\text{out}_{n,o} = \sum_i x_{n,i} \, w_{o,i}${bias ? ' + b_o' : ''}`,
      'Σ x · weight',
      terms,
    );
  }
  if (!dout) return undefined;
  switch (tensor) {
    case 'dx':
      return sumExplanation(
        String.raw`\text{dx}_{n,i} = \sum_o \text{dout}_{n,o} \, w_{o,i}`,
        'Σ dout · weight',
        Array.from({ length: O }, (_, o) => product(['dout', dout, [...row, o]], ['weight', weight, [o, last]])),
      );
    case 'dweight':
      return sumExplanation(
        String.raw`\text{dw}_{o,i} = \sum_n \text{dout}_{n,o} \, x_{n,i}`,
        'Σ dout · x',
        rows.map((n) => product(['dout', dout, [...n, index[0]]], ['x', x, [...n, index[1]]])),
      );
    case 'dbias':
      return sumExplanation(
        String.raw`\text{db}_o = \sum_n \text{dout}_{n,o}`,
        'Σ dout',
        rows.map((n) => term([{ tensor: 'dout', index: [...n, last] }, at(dout, [...n, last])])),
      );
    default:
      return undefined;
  }
};
