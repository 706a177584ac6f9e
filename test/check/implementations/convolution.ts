/** A convolution of planes by hand: the input is padded first, and gradients are cut out of what was padded. */
import { make, range, sum, values, type Implementation } from './implementation.js';

type Pair = readonly [number, number];

export const convolution: Implementation = ({ inputs, options, upstream }, wrong = '') => {
  const [N, C, height, width] = inputs.x.shape;
  const [O, perGroup, KH, KW] = inputs.weight.shape;
  const { groups } = options as { groups: number };
  const each = (option: unknown): Pair => (typeof option === 'number' ? [option, option] : (option as Pair));
  const stride = each(options.stride);
  const dilation = each(options.dilation);
  let pads = options.padding as readonly Pair[];
  if (wrong === 'padding_side') pads = pads.map(([before, after]) => [after, before]);
  const [[top, bottom], [left, right]] = pads;
  const perOut = O / groups;
  const x = values(inputs.x);
  const weight = values(inputs.weight);
  const bias = 'bias' in inputs ? values(inputs.bias) : range(O).map(() => 0);
  const OH = Math.floor((height + top + bottom - dilation[0] * (KH - 1) - 1) / stride[0]) + 1;
  const OW = Math.floor((width + left + right - dilation[1] * (KW - 1) - 1) / stride[1]) + 1;
  const outShape = [N, O, OH, OW];

  const xAt = (n: number, c: number, h: number, w: number) => ((n * C + c) * height + h) * width + w;
  const outAt = (n: number, o: number, i: number, j: number) => ((n * O + o) * OH + i) * OW + j;

  /** What stands at a place that may lie in the padding. */
  const read = (n: number, c: number, row: number, column: number): number => {
    let [h, w] = [row, column];
    if (wrong === 'padding_replicated') {
      h = Math.max(0, Math.min(height - 1, h));
      w = Math.max(0, Math.min(width - 1, w));
    }
    if (wrong === 'padding_reflected') {
      if (h < 0) h = -h;
      if (h >= height) h = 2 * height - 2 - h;
      if (w < 0) w = -w;
      if (w >= width) w = 2 * width - 2 - w;
    }
    if (wrong === 'padding_wrapped') {
      h = (h + height) % height;
      w = (w + width) % width;
    }
    return h < 0 || h >= height || w < 0 || w >= width ? 0 : x[xAt(n, c, h, w)];
  };

  /** Entry of the weight for an output channel, a channel of its group and a tap. */
  const weightAt = (o: number, a: number, kh: number, kw: number): number => {
    if (wrong === 'kernel_flipped') return ((o * perGroup + a) * KH + (KH - 1 - kh)) * KW + (KW - 1 - kw);
    if (wrong === 'kernel_axes_exchanged') return ((o * perGroup + a) * KH + kw) * KW + kh;
    if (wrong === 'channels_exchanged') {
      const g = Math.floor(o / perOut);
      return ((g * perGroup * perOut + a * perOut + (o - g * perOut)) * KH + kh) * KW + kw;
    }
    return ((o * perGroup + a) * KH + kh) * KW + kw;
  };

  const channelFor = (o: number, a: number): number => {
    const g = Math.floor(o / perOut);
    if (wrong === 'groups_ignored') return a;
    if (wrong === 'groups_interleaved') return a * groups + g;
    return g * perGroup + a;
  };

  const out = range(N * O * OH * OW).map(() => 0);
  for (const n of range(N))
    for (const o of range(O))
      for (const i of range(OH))
        for (const j of range(OW)) {
          let total = wrong === 'bias_missing' ? 0 : bias[o];
          for (const a of range(perGroup))
            for (const kh of range(KH))
              for (const kw of range(KW)) {
                const value = read(
                  n,
                  channelFor(o, a),
                  i * stride[0] + kh * dilation[0] - top,
                  j * stride[1] + kw * dilation[1] - left,
                );
                total += value * weight[weightAt(o, a, kh, kw)];
                if (wrong === 'bias_at_every_tap' && (a > 0 || kh > 0 || kw > 0)) total += bias[o];
              }
          out[outAt(n, o, i, j)] = total;
        }
  const answers = { out: make(outShape, out) };
  if (!('dout' in upstream)) return answers;

  const dout = values(upstream.dout);
  const dx = x.map(() => 0);
  const dweight = weight.map(() => 0);
  const [sh, sw] = wrong === 'stride_forgotten_in_backward' ? [1, 1] : stride;
  const [dh, dw] = wrong === 'dilation_forgotten_in_backward' ? [1, 1] : dilation;
  let [ph, pw] = [top, left];
  if (wrong === 'padding_forgotten_in_backward') [ph, pw] = [0, 0];
  if (wrong === 'padding_side_in_backward') [ph, pw] = [bottom, right];
  for (const n of range(N))
    for (const o of range(O))
      for (const i of range(OH))
        for (const j of range(OW)) {
          const d = dout[outAt(n, o, i, j)];
          for (const a of range(perGroup))
            for (const kh of range(KH))
              for (const kw of range(KW)) {
                const h = i * sh + kh * dh - ph;
                const w = j * sw + kw * dw - pw;
                if (h < 0 || h >= height || w < 0 || w >= width) continue;
                const c = wrong === 'groups_ignored_in_backward' ? a : channelFor(o, a);
                const at = xAt(n, c, h, w);
                const tap = weightAt(o, a, kh, kw);
                const turned = weightAt(o, a, KH - 1 - kh, KW - 1 - kw);
                const term = d * weight[wrong === 'dx_kernel_flipped' ? turned : tap];
                if (wrong === 'dx_assigned') dx[at] = term;
                else dx[at] += term;
                if (wrong === 'dweight_of_one_sample' && n < N - 1) continue;
                if (wrong === 'dweight_assigned') dweight[tap] = d * x[at];
                else dweight[wrong === 'dweight_reversed' ? turned : tap] += d * x[at];
              }
        }
  const ofWeight = wrong === 'dweight_averaged' ? N : 1;
  const swapped = range(weight.length).map((i) => {
    const [k, a, o] = [i % (KH * KW), Math.floor(i / (KH * KW)) % perGroup, Math.floor(i / (KH * KW * perGroup))];
    // What belongs to [o, a] in a group is found at [a, o].
    const g = Math.floor(o / perOut);
    const place = (o - g * perOut) * perGroup + a;
    const [b, c] = [place % perOut, Math.floor(place / perOut)];
    return dweight[((g * perOut + b) * perGroup + c) * KH * KW + k];
  });
  const overPlaces = (n: number, o: number) =>
    sum(range(OH).flatMap((i) => range(OW).map((j) => dout[outAt(n, o, i, j)])));
  let dbias = range(O).map((o) => sum(range(N).map((n) => overPlaces(n, o))));
  if (wrong === 'dbias_averaged') dbias = dbias.map((value) => value / (N * OH * OW));
  if (wrong === 'dbias_of_one_sample') dbias = range(O).map((o) => overPlaces(N - 1, o));
  const batchAlone = make(
    [O, OH, OW],
    range(O * OH * OW).map((i) => sum(range(N).map((n) => dout[n * O * OH * OW + i]))),
  );
  let summed = make([O], dbias);
  if (wrong === 'dbias_over_batch_alone') summed = batchAlone;
  if (wrong === 'dbias_over_other_axes')
    summed = make(
      [N],
      range(N).map((n) => sum(range(O).map((o) => overPlaces(n, o)))),
    );
  return {
    ...answers,
    // Padding that is not zero has a gradient of its own, which is another matter.
    ...(wrong.startsWith('padding_r') || wrong === 'padding_wrapped'
      ? {}
      : {
          dx: make(inputs.x.shape, dx),
          dweight: make(
            inputs.weight.shape,
            (wrong === 'dweight_channels_exchanged' ? swapped : dweight).map((value) => value / ofWeight),
          ),
        }),
    ...('bias' in inputs ? { dbias: summed } : {}),
  };
};
