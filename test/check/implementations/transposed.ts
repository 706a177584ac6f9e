/**
 * A handwritten transposed convolution. Each element of x adds a scaled kernel to a frame, from which the result is
 * cropped. For mistakes that involve inserted zeros, the kernel instead slides over x with zeros inserted.
 */
import type { Instance } from '../../../src/layers/instance.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import { make, range, values, type Implementation } from './implementation.js';
import { at, dbiasOf, exchanged, shortened, geometry, grid, isIn, map3, three, type Three } from './planes.js';

const count = ([a, b, c]: Three) => a * b * c;

function given({ inputs, options }: Instance) {
  const axes = inputs.x.shape.length - 2;
  const { groups, output_padding } = options as { groups: number; output_padding: number | number[] };
  const [N, C] = inputs.x.shape;
  const perOut = inputs.weight.shape[1];
  return {
    axes,
    groups,
    N,
    C,
    O: perOut * groups,
    perIn: C / groups,
    perOut,
    size: three(inputs.x.shape.slice(2), axes, 1),
    kernel: three(inputs.weight.shape.slice(2), axes, 1),
    added: three(output_padding, axes, 0),
    ...geometry(options, axes),
    x: values(inputs.x),
    weight: values(inputs.weight),
    bias: 'bias' in inputs ? values(inputs.bias) : range(perOut * groups).map(() => 0),
  };
}

/** Slides the kernel over planes of size `long`, as stored in the weight or rotated. */
function slidOver(
  instance: Instance,
  planes: readonly number[][],
  long: Three,
  step: Three,
  isTurned: boolean,
): Tensor {
  const { axes, N, C, O, perIn, perOut, kernel, dilation, weight, bias } = given(instance);
  const outSize = map3((axis) => Math.floor((long[axis] - dilation[axis] * (kernel[axis] - 1) - 1) / step[axis] + 1));
  const out: number[] = [];
  for (const n of range(N))
    for (const o of range(O))
      for (const p of grid(outSize)) {
        const g = Math.floor(o / perOut);
        let total = bias[o];
        for (const c of range(perIn))
          for (const k of grid(kernel)) {
            const entry = isTurned ? map3((axis) => kernel[axis] - 1 - k[axis]) : k;
            const tap = ((g * perIn + c) * perOut + (o - g * perOut)) * count(kernel) + at(kernel, entry);
            const place = map3((axis) => p[axis] * step[axis] + k[axis] * dilation[axis]);
            total += planes[n * C + g * perIn + c][at(long, place)] * weight[tap];
          }
        out.push(total);
      }
  return make([N, O, ...outSize.slice(3 - axes)], out);
}

interface Sliding {
  /** Zeros between the elements of x, for each axis. */
  readonly zeros: Three;
  /** Whether each element is repeated instead of being followed by zeros. */
  readonly repeat?: boolean;
  readonly lead: Three;
  readonly trail: Three;
  /** Whether the kernel is used as stored, not rotated. */
  readonly asItLies?: boolean;
}

/** Slides the rotated kernel over x, with zeros inserted and padding added. */
function slid(instance: Instance, { zeros, repeat = false, lead, trail, asItLies = false }: Sliding): Tensor {
  const { N, C, size, x } = given(instance);
  const spread = map3((axis) => (repeat ? size[axis] * (zeros[axis] + 1) : (size[axis] - 1) * (zeros[axis] + 1) + 1));
  const long = map3((axis) => spread[axis] + lead[axis] + trail[axis]);
  const planes = range(N * C).map((plane) => {
    const values = range(count(long)).map(() => 0);
    for (const place of grid(size))
      for (const shift of repeat ? grid(map3((axis) => zeros[axis] + 1)) : [[0, 0, 0] as const]) {
        const there = map3((axis) => lead[axis] + place[axis] * (zeros[axis] + 1) + shift[axis]);
        if (isIn(long, there)) values[at(long, there)] = x[plane * count(size) + at(size, place)];
      }
    return values;
  });
  return slidOver(instance, planes, long, [1, 1, 1], !asItLies);
}

/** The padding that sliding the kernel requires. */
function padsToSlide(instance: Instance) {
  const { kernel, dilation, before, after, added, stride } = given(instance);
  const reach = map3((axis) => dilation[axis] * (kernel[axis] - 1));
  return {
    zeros: map3((axis) => stride[axis] - 1),
    lead: map3((axis) => reach[axis] - before[axis]),
    trail: map3((axis) => reach[axis] - after[axis] + added[axis]),
  };
}

/** The right answer by sliding. If more is cropped than the kernel reaches, x itself is cropped. */
export const slidRight = (instance: Instance): Tensor => slid(instance, padsToSlide(instance));

/** `out` for the mistakes that are made when sliding. */
function slidWrong(instance: Instance, wrong: string): Tensor | undefined {
  const { before, after, added, stride } = given(instance);
  const pads = padsToSlide(instance);
  switch (wrong) {
    case 'inserted_zeros_padded_by_padding':
      return slid(instance, { ...pads, lead: before, trail: map3((axis) => after[axis] + added[axis]) });
    case 'zeros_not_inserted':
      return slid(instance, { ...pads, zeros: [0, 0, 0] });
    case 'one_zero_too_many':
      return slid(instance, { ...pads, zeros: stride });
    case 'repeated_for_inserted':
      return slid(instance, { ...pads, repeat: true });
    case 'kernel_not_turned':
      return slid(instance, { ...pads, asItLies: true });
    case 'transposed_ignored': {
      // x is padded, and the kernel slides over it as stored.
      const { N, C, size, x } = given(instance);
      const long = map3((axis) => size[axis] + before[axis] + after[axis]);
      const planes = range(N * C).map((plane) =>
        grid(long).map((place) => {
          const source = map3((axis) => place[axis] - before[axis]);
          return isIn(size, source) ? x[plane * count(size) + at(size, source)] : 0;
        }),
      );
      return slidOver(instance, planes, long, stride, false);
    }
    default:
      return undefined;
  }
}

export const transposed: Implementation = (instance, wrong = '') => {
  if (wrong === 'stride_and_dilation_exchanged') return exchanged(transposed, instance);
  if (wrong === 'number_of_windows') return shortened(transposed, instance);
  const { inputs, upstream } = instance;
  const { axes, groups, N, C, O, perIn, perOut, size, kernel, stride, dilation, x, weight, bias, ...rest } =
    given(instance);
  let { before, after, added } = rest;
  if (wrong === 'padding_side') [before, after] = [after, before];
  const [D, K] = [count(size), count(kernel)];

  /** Index into the weight for a channel of x, an output channel of its group and a tap. */
  const weightAt = (c: number, o: number, k: Three): number => {
    const g = Math.floor(c / perIn);
    let [plane, tap] = [c * perOut + o, at(kernel, k)];
    if (wrong === 'weight_read_as_plain') plane = (g * perOut + o) * perIn + (c - g * perIn);
    if (wrong === 'kernel_not_turned')
      tap = at(
        kernel,
        map3((axis) => kernel[axis] - 1 - k[axis]),
      );
    if (wrong === 'kernel_axes_exchanged') {
      const [d, h, w] = k;
      tap = (d * kernel[2] + w) * kernel[1] + h;
    }
    return plane * K + tap;
  };
  const outChannel = (c: number, o: number): number => {
    const g = Math.floor(c / perIn);
    if (wrong === 'groups_ignored') return o;
    if (wrong === 'groups_interleaved') return o * groups + g;
    return g * perOut + o;
  };

  const stamped = (from: Three, planes: readonly number[], longer: Three, addedTo: number[]) => {
    for (const n of range(N))
      for (const c of range(C))
        for (const p of grid(from))
          for (const o of range(perOut))
            for (const k of grid(kernel)) {
              const there = at(
                longer,
                map3((axis) => p[axis] * stride[axis] + k[axis] * dilation[axis]),
              );
              const i = (n * O + outChannel(c, o)) * count(longer) + there;
              addedTo[i] += planes[(n * C + c) * count(from) + at(from, p)] * weight[weightAt(c, o, k)];
              if (wrong === 'bias_at_every_tap') addedTo[i] += bias[outChannel(c, o)];
            }
  };
  const frameOf = (from: Three) =>
    map3((axis) => (from[axis] - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1 + added[axis]);

  function forward(): Tensor {
    const asSlid = slidWrong(instance, wrong);
    if (asSlid) return asSlid;
    let [from, planes] = [size, x];
    if (wrong === 'output_padding_forgotten') added = [0, 0, 0];
    if (wrong === 'padding_added') {
      from = map3((axis) => size[axis] + before[axis] + after[axis]);
      const longer = from;
      planes = range(N * C).flatMap((plane) =>
        grid(longer).map((place) => {
          const source = map3((axis) => place[axis] - before[axis]);
          return isIn(size, source) ? x[plane * D + at(size, source)] : 0;
        }),
      );
    }
    const full = frameOf(from);
    const sums = range(N * O * count(full)).map(() => 0);
    if (wrong === 'out_assigned') {
      for (const n of range(N))
        for (const p of grid(size))
          for (const g of range(groups))
            for (const o of range(perOut))
              for (const k of grid(kernel)) {
                let total = 0;
                for (const c of range(perIn))
                  total += x[(n * C + g * perIn + c) * D + at(size, p)] * weight[weightAt(g * perIn + c, o, k)];
                const there = at(
                  full,
                  map3((axis) => p[axis] * stride[axis] + k[axis] * dilation[axis]),
                );
                sums[(n * O + g * perOut + o) * count(full) + there] = total;
              }
    } else stamped(from, planes, full, sums);

    let [start, end] = [before, after];
    if (wrong === 'padding_added' || wrong === 'padding_not_cropped')
      [start, end] = [
        [0, 0, 0],
        [0, 0, 0],
      ];
    const outSize = map3((axis) => full[axis] - start[axis] - end[axis]);
    if (wrong === 'padding_cropped_at_one_end') start = [0, 0, 0];
    if (wrong === 'output_padding_before') start = map3((axis) => before[axis] - added[axis]);
    const out = range(N * O).flatMap((plane) =>
      grid(outSize).map((place) => {
        const there = map3((axis) => place[axis] + start[axis]);
        const extra = place.some((index, axis) => index >= outSize[axis] - added[axis]);
        if (wrong === 'output_padding_without_taps' && extra) return 0;
        const value = isIn(full, there) ? sums[plane * count(full) + at(full, there)] : 0;
        const alone = wrong === 'bias_missing' || wrong === 'bias_at_every_tap';
        return value + (alone ? 0 : bias[plane % O]);
      }),
    );
    return make([N, O, ...outSize.slice(3 - axes)], out);
  }

  const out = forward();
  if (!('dout' in upstream)) return { out };
  added = rest.added;
  const dout = values(upstream.dout);
  const outSize = three(upstream.dout.shape.slice(2), axes, 1);
  const P = count(outSize);

  // dout placed in the frame.
  let lead: Three = before;
  if (wrong === 'padding_forgotten_in_backward' || wrong === 'padding_cropped_at_one_end') lead = [0, 0, 0];
  if (wrong === 'padding_side_in_backward') lead = after;
  if (wrong === 'output_padding_before') lead = map3((axis) => before[axis] - added[axis]);
  const cut = wrong === 'output_padding_forgotten_in_backward';
  const used = range(N * O).flatMap((plane) =>
    grid(outSize).map((place) => {
      const extra = place.some((index, axis) => index >= outSize[axis] - added[axis]);
      return cut && extra ? 0 : dout[plane * P + at(outSize, place)];
    }),
  );
  const read = (plane: number, there: Three): number | undefined => {
    const place = map3((axis) => there[axis] - lead[axis]);
    return isIn(outSize, place) ? used[plane * P + at(outSize, place)] : undefined;
  };

  const step: Three = wrong === 'stride_forgotten_in_backward' ? [1, 1, 1] : stride;
  const apart: Three = wrong === 'dilation_forgotten_in_backward' ? [1, 1, 1] : dilation;
  const dx = x.map(() => 0);
  const dweight = weight.map(() => 0);
  const turned = (k: Three) => map3((axis) => kernel[axis] - 1 - k[axis]);
  for (const n of range(N))
    for (const c of range(C))
      for (const o of range(perOut)) {
        const plane = n * O + (wrong === 'groups_ignored_in_backward' ? o : outChannel(c, o));
        for (const p of grid(size))
          for (const k of grid(kernel)) {
            const d = read(
              plane,
              map3((axis) => p[axis] * step[axis] + k[axis] * apart[axis]),
            );
            if (d === undefined) continue;
            const i = (n * C + c) * D + at(size, p);
            const term = d * weight[weightAt(c, o, wrong === 'dx_kernel_flipped' ? turned(k) : k)];
            if (wrong === 'dx_of_last_tap') dx[i] = term;
            else if (wrong !== 'dx_of_plain_convolution') dx[i] += term;
            if (wrong === 'dweight_of_one_sample' && n < N - 1) continue;
            const tap = weightAt(c, o, wrong === 'dweight_reversed' ? turned(k) : k);
            if (wrong === 'dweight_assigned') dweight[tap] = x[i] * d;
            else if (wrong !== 'dweight_of_plain_convolution') dweight[tap] += x[i] * d;
          }
        // As if out slid over x.
        if (!wrong.endsWith('of_plain_convolution')) continue;
        for (const p of grid(outSize))
          for (const k of grid(kernel)) {
            const place = map3((axis) => p[axis] * stride[axis] - before[axis] + k[axis] * dilation[axis]);
            if (!isIn(size, place)) continue;
            const d = dout[plane * P + at(outSize, p)];
            const i = (n * C + c) * D + at(size, place);
            if (wrong === 'dx_of_plain_convolution') dx[i] += d * weight[weightAt(c, o, k)];
            if (wrong === 'dweight_of_plain_convolution') dweight[weightAt(c, o, k)] += d * x[i];
          }
      }
  const swapped = range(weight.length).map((i) => {
    const [k, o, c] = [i % K, Math.floor(i / K) % perOut, Math.floor(i / (K * perOut))];
    const g = Math.floor(c / perIn);
    // [c, o] is read from a block of shape [perOut, perIn].
    const place = (c - g * perIn) * perOut + o;
    const [a, b] = [place % perIn, Math.floor(place / perIn)];
    return dweight[((g * perIn + a) * perOut + b) * K + k];
  });
  const ofWeight = wrong === 'dweight_averaged' ? N : 1;
  return {
    out,
    dx: make(inputs.x.shape, dx),
    dweight: make(
      inputs.weight.shape,
      (wrong === 'dweight_channels_exchanged' ? swapped : dweight).map((value) => value / ofWeight),
    ),
    ...('bias' in inputs ? { dbias: dbiasOf(used, upstream.dout.shape, wrong) } : {}),
  };
};
