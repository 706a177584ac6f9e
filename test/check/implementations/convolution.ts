/** A handwritten convolution: tap by tap, reading the input as if it were padded. */
import { make, range, values, type Implementation } from './implementation.js';
import { at, dbiasOf, exchanged, shortened, geometry, grid, isIn, map3, three, type Three } from './planes.js';
import { transposed } from './transposed.js';

export const convolution: Implementation = (instance, wrong = '') =>
  instance.options.transposed === true ? transposed(instance, wrong) : plain(instance, wrong);

/** The position read for one outside the input; −1 if nothing is read. */
function folded(place: number, size: number, wrong: string): number {
  if (place >= 0 && place < size) return place;
  if (wrong === 'padding_replicated') return place < 0 ? 0 : size - 1;
  if (wrong === 'padding_reflected') return place < 0 ? -place : 2 * size - 2 - place;
  if (wrong === 'padding_wrapped') return (place + size) % size;
  return -1;
}

const plain: Implementation = (instance, wrong = '') => {
  if (wrong === 'stride_and_dilation_exchanged') return exchanged(plain, instance);
  if (wrong === 'number_of_windows') return shortened(plain, instance);
  const { inputs, options, upstream } = instance;
  const axes = inputs.x.shape.length - 2;
  const [N, C] = inputs.x.shape;
  const [O, perGroup] = inputs.weight.shape;
  const { groups } = options as { groups: number };
  const size = three(inputs.x.shape.slice(2), axes, 1);
  const kernel = three(inputs.weight.shape.slice(2), axes, 1);
  const { stride, dilation, before: first, after: second } = geometry(options, axes);
  const [before, after] = wrong === 'padding_side' ? [second, first] : [first, second];
  const outSize = map3((axis) =>
    Math.floor((size[axis] + before[axis] + after[axis] - dilation[axis] * (kernel[axis] - 1) - 1) / stride[axis] + 1),
  );
  const outShape = [N, O, ...outSize.slice(3 - axes)];
  const perOut = O / groups;
  const [D, K, P] = [size, kernel, outSize].map(([a, b, c]) => a * b * c);
  const x = values(inputs.x);
  const weight = values(inputs.weight);
  const bias = 'bias' in inputs ? values(inputs.bias) : range(O).map(() => 0);

  const turned = (k: Three) => map3((axis) => kernel[axis] - 1 - k[axis]);
  /** Index into the weight for an output channel, a channel of its group and a tap. */
  const weightAt = (o: number, a: number, k: Three): number => {
    let [plane, tap] = [o * perGroup + a, at(kernel, k)];
    if (wrong === 'kernel_flipped') tap = at(kernel, turned(k));
    if (wrong === 'kernel_axes_exchanged') {
      // The last two axes exchanged: read as [width, height].
      const [d, h, w] = k;
      tap = (d * kernel[2] + w) * kernel[1] + h;
    }
    if (wrong === 'channels_exchanged') {
      const g = Math.floor(o / perOut);
      plane = g * perGroup * perOut + a * perOut + (o - g * perOut);
    }
    return plane * K + tap;
  };
  const channelFor = (o: number, a: number): number => {
    const g = Math.floor(o / perOut);
    if (wrong === 'groups_ignored') return a;
    if (wrong === 'groups_interleaved') return a * groups + g;
    return g * perGroup + a;
  };

  const out = range(N * O * P).map(() => 0);
  for (const n of range(N))
    for (const o of range(O))
      for (const p of grid(outSize)) {
        let total = wrong === 'bias_missing' ? 0 : bias[o];
        for (const a of range(perGroup))
          for (const k of grid(kernel)) {
            const place = map3((axis) =>
              folded(p[axis] * stride[axis] + k[axis] * dilation[axis] - before[axis], size[axis], wrong),
            );
            const value = isIn(size, place) ? x[(n * C + channelFor(o, a)) * D + at(size, place)] : 0;
            total += value * weight[weightAt(o, a, k)];
            if (wrong === 'bias_at_every_tap' && (a > 0 || at(kernel, k) > 0)) total += bias[o];
          }
        out[(n * O + o) * P + at(outSize, p)] = total;
      }
  const answers = { out: make(outShape, out) };
  if (!('dout' in upstream)) return answers;

  const dout = values(upstream.dout);
  const step: Three = wrong === 'stride_forgotten_in_backward' ? [1, 1, 1] : stride;
  const apart: Three = wrong === 'dilation_forgotten_in_backward' ? [1, 1, 1] : dilation;
  let lead: Three = before;
  if (wrong === 'padding_forgotten_in_backward') lead = [0, 0, 0];
  if (wrong === 'padding_side_in_backward') lead = after;
  // For dx_not_cropped, dx has the size of the padded input.
  const uncropped = wrong === 'dx_not_cropped';
  const room = uncropped ? map3((axis) => size[axis] + before[axis] + after[axis]) : size;
  const dx = range(N * C * room[0] * room[1] * room[2]).map(() => 0);
  const dweight = weight.map(() => 0);
  for (const n of range(N))
    for (const o of range(O))
      for (const p of grid(outSize)) {
        const d = dout[(n * O + o) * P + at(outSize, p)];
        for (const a of range(perGroup))
          for (const k of grid(kernel)) {
            const place = map3((axis) =>
              folded(p[axis] * step[axis] + k[axis] * apart[axis] - lead[axis], size[axis], wrong),
            );
            const c = wrong === 'groups_ignored_in_backward' ? a : channelFor(o, a);
            const tap = weightAt(o, a, k);
            const opposite = weightAt(o, a, turned(k));
            const term = d * weight[wrong === 'dx_kernel_flipped' ? opposite : tap];
            if (uncropped) {
              const there = map3((axis) => p[axis] * step[axis] + k[axis] * apart[axis]);
              dx[(n * C + c) * room[0] * room[1] * room[2] + at(room, there)] += term;
            }
            if (!isIn(size, place)) continue;
            const i = (n * C + c) * D + at(size, place);
            if (wrong === 'dx_assigned') dx[i] = term;
            else if (!uncropped) dx[i] += term;
            if (wrong === 'dweight_of_one_sample' && n < N - 1) continue;
            if (wrong === 'dweight_assigned') dweight[tap] = d * x[i];
            else dweight[wrong === 'dweight_reversed' ? opposite : tap] += d * x[i];
          }
      }
  const swapped = range(weight.length).map((i) => {
    const [k, a, o] = [i % K, Math.floor(i / K) % perGroup, Math.floor(i / (K * perGroup))];
    // The entry for [o, a] of a group is read at [a, o].
    const g = Math.floor(o / perOut);
    const place = (o - g * perOut) * perGroup + a;
    const [b, c] = [place % perOut, Math.floor(place / perOut)];
    return dweight[((g * perOut + b) * perGroup + c) * K + k];
  });
  const ofWeight = wrong === 'dweight_averaged' ? N : 1;
  return {
    ...answers,
    dx: make([N, C, ...room.slice(3 - axes)], dx),
    dweight: make(
      inputs.weight.shape,
      (wrong === 'dweight_channels_exchanged' ? swapped : dweight).map((value) => value / ofWeight),
    ),
    ...('bias' in inputs ? { dbias: dbiasOf(dout, outShape, wrong) } : {}),
  };
};
