/** A handwritten linear layer: row by row, accumulating. */
import { make, range, sum, values, type Implementation } from './implementation.js';

export const linear: Implementation = ({ inputs, upstream }, wrong = '') => {
  const [O, I] = inputs.weight.shape;
  const leading = inputs.x.shape.slice(0, -1);
  const rowsOf = (numbers: number[], length: number) =>
    range(numbers.length / length).map((n) => numbers.slice(n * length, (n + 1) * length));
  const x = rowsOf(values(inputs.x), I);
  const weight = rowsOf(values(inputs.weight), I);
  const bias = 'bias' in inputs ? values(inputs.bias) : range(O).map(() => 0);

  const out = x.map((row) =>
    range(O).map((o) => {
      let total = wrong === 'bias_missing' ? 0 : wrong === 'bias_subtracted' ? -bias[o] : bias[o];
      for (let i = 0; i < I; i++) total += row[i] * (wrong === 'weight_not_transposed' ? weight[i][o] : weight[o][i]);
      return total;
    }),
  );
  const answers = { out: make([...leading, O], out.flat()) };
  if (!('dout' in upstream)) return answers;

  const dout = rowsOf(values(upstream.dout), O);
  const dx = x.map(() => range(I).map(() => 0));
  const dweight = weight.map((row) => row.map(() => 0));
  let dbias = range(O).map(() => 0);
  dout.forEach((row, n) => {
    row.forEach((d, o) => {
      for (let i = 0; i < I; i++) {
        dx[n][i] += d * (wrong === 'dx_weight_transposed' ? weight[i][o] : weight[o][i]);
        if (wrong === 'dweight_of_one_row') dweight[o][i] = d * x[n][i];
        else if (wrong === 'dweight_transposed') dweight[i][o] += d * x[n][i];
        else dweight[o][i] += d * x[n][i];
      }
      if (wrong === 'dbias_of_one_row') dbias[o] = d;
      else dbias[o] += d;
    });
  });
  const rows = x.length;
  if (wrong === 'divided_by_batch_size' || wrong === 'dbias_averaged') dbias = dbias.map((value) => value / rows);
  const ofWeight = wrong === 'divided_by_batch_size' || wrong === 'dweight_averaged' ? rows : 1;
  const ofX = wrong === 'dx_averaged' ? rows : 1;
  let summed = make([O], dbias);
  if (wrong === 'dbias_over_features') summed = make(leading, dout.map(sum));
  if (wrong === 'dbias_over_first_axis_alone') {
    const [first, ...others] = leading;
    const inner = rows / first;
    summed = make(
      [...others, O],
      range(inner).flatMap((k) => range(O).map((o) => sum(range(first).map((n) => dout[n * inner + k][o])))),
    );
  }
  return {
    ...answers,
    dx: make(
      inputs.x.shape,
      dx.flat().map((value) => value / ofX),
    ),
    dweight: make(
      [O, I],
      dweight.flat().map((value) => value / ofWeight),
    ),
    ...('bias' in inputs ? { dbias: summed } : {}),
  };
};
