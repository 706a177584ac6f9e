/**
 * Each layer again, with every operation rounded to float32 and every sum in a given order. The results equal those of
 * the service up to rounding.
 */
import type { Instance, Tensors } from '../../../src/layers/instance.js';
import { recurrentGiven } from '../../../src/check/bounds/recurrence.js';
import type { Cell } from '../../../src/kernels/kernels.js';
import { product, threeAxes, type WindowAxis } from '../../../src/tensor/windows.js';
import type { Plan } from '../../../src/layers/definition.js';
import { sizeOf, tensor, type Shape, type Tensor } from '../../../src/tensor/tensor.js';
import { range } from '../implementations/implementation.js';
import type { Sum } from './sums.js';

export type InFloat32 = (instance: Instance, plan: Plan, sum: Sum) => Tensors;

const f = Math.fround;
const of = (shape: Shape, values: ArrayLike<number>): Tensor => tensor(shape, Float64Array.from(values));
const lists = (length: number): number[][] => range(length).map(() => []);
const given = (name: string, { inputs }: Instance, value: () => Tensor) =>
  name in inputs ? { [`d${name}`]: value() } : {};

/** The products of x and weight that each element of out sums. */
type Triples = (visit: (out: number, x: number, weight: number) => void) => void;

function bilinear(instance: Instance, plan: Plan, channels: number, triples: Triples, sum: Sum): Tensors {
  const { x, weight, bias } = instance.inputs as { x: Tensor; weight: Tensor; bias?: Tensor };
  const { out: shape } = plan.outputs;
  const size = sizeOf(shape);
  const isLast = shape.length === 0 || instance.inputs.weight.shape.length === 2;
  const S = isLast ? 1 : size / (shape[0] * channels);
  const channelOf = (i: number) => Math.floor(i / S) % channels;
  const [out, dx, dweight, dbias] = [lists(size), lists(x.data.length), lists(weight.data.length), lists(channels)];
  const dout = 'dout' in instance.upstream ? instance.upstream.dout.data : undefined;
  if (bias) out.forEach((terms, i) => terms.push(bias.data[channelOf(i)]));
  triples((o, i, w) => {
    out[o].push(f(f(x.data[i]) * f(weight.data[w])));
    if (!dout) return;
    dx[i].push(f(f(dout[o]) * f(weight.data[w])));
    dweight[w].push(f(f(dout[o]) * f(x.data[i])));
  });
  dout?.forEach((value: number, i: number) => dbias[channelOf(i)].push(value));
  return {
    out: of(shape, out.map(sum)),
    ...(dout
      ? {
          dx: of(x.shape, dx.map(sum)),
          dweight: of(weight.shape, dweight.map(sum)),
          ...given('bias', instance, () => of([channels], dbias.map(sum))),
        }
      : {}),
  };
}

const linear: InFloat32 = (instance, plan, sum) => {
  const [O, I] = instance.inputs.weight.shape;
  const rows = instance.inputs.x.data.length / I;
  const triples: Triples = (visit) => {
    for (let n = 0; n < rows; n++)
      for (let o = 0; o < O; o++) for (let i = 0; i < I; i++) visit(n * O + o, n * I + i, o * I + i);
  };
  return bilinear(instance, plan, O, triples, sum);
};

/** Every tap of every window of a plane: its position in the folded plane, its window, and its number. */
function eachTap(axes: readonly WindowAxis[], visit: (folded: number, window: number, tap: number) => void): void {
  const three = threeAxes(axes);
  const walk = (axis: number, folded: number, window: number, tap: number): void => {
    if (axis === 3) {
      visit(folded, window, tap);
      return;
    }
    const { input, output, kernel, stride, dilation, before } = three[axis];
    for (let o = 0; o < output; o++)
      for (let k = 0; k < kernel; k++) {
        const at = o * stride - before + k * dilation;
        if (at >= 0 && at < input) walk(axis + 1, folded * input + at, window * output + o, tap * kernel + k);
      }
  };
  walk(0, 0, 0, 0);
}

const convolution: InFloat32 = (instance, plan, sum) => {
  const { axes, N, C, O, groups, transposed } = plan as unknown as {
    axes: readonly WindowAxis[];
    N: number;
    C: number;
    O: number;
    groups: number;
    transposed: boolean;
  };
  const [K, P, D] = [product(axes, 'kernel'), product(axes, 'output'), product(axes, 'input')];
  const [inGroup, outGroup] = [C / groups, O / groups];
  const triples: Triples = (visit) => {
    for (let n = 0; n < N; n++)
      for (let o = 0; o < O; o++)
        for (let k = 0; k < inGroup; k++) {
          const c = Math.floor(o / outGroup) * inGroup + k;
          eachTap(axes, (folded, window, tap) => {
            if (transposed)
              visit((n * O + o) * D + folded, (n * C + c) * P + window, (c * outGroup + (o % outGroup)) * K + tap);
            else visit((n * O + o) * P + window, (n * C + c) * D + folded, (o * inGroup + k) * K + tap);
          });
        }
  };
  return bilinear(instance, plan, O, triples, sum);
};

const pooling: InFloat32 = ({ inputs: { x }, options, upstream }, plan, sum) => {
  const { axes } = plan as unknown as { axes: readonly WindowAxis[] };
  const [P, D] = [product(axes, 'output'), product(axes, 'input')];
  const planes = x.data.length / D;
  const bounds = axes.map(({ input, before, after }) =>
    options.count_include_pad === true ? [-before, input + after] : [0, input],
  );
  const counts = range(P).map((window) => {
    let rest = window;
    return axes
      .map((_, i) => axes.length - 1 - i)
      .reduce((count, i) => {
        const { output, stride, before, kernel, dilation } = axes[i];
        const start = (rest % output) * stride - before;
        rest = Math.floor(rest / output);
        return (
          count *
          range(kernel).filter((k) => start + k * dilation >= bounds[i][0] && start + k * dilation < bounds[i][1])
            .length
        );
      }, 1);
  });
  const [taps, dx] = [lists(planes * P), lists(planes * D)];
  const dout = 'dout' in upstream ? upstream.dout.data : undefined;
  for (let plane = 0; plane < planes; plane++)
    eachTap(axes, (folded, window) => taps[plane * P + window].push(plane * D + folded));
  const out = taps.map((places, window) => {
    const values = places.map((i) => f(x.data[i]));
    if (options.mode === 'max') {
      const largest = Math.max(...values);
      if (dout) dx[places[values.indexOf(largest)]].push(f(dout[window]));
      return largest;
    }
    const count = counts[window % P];
    if (dout) for (const i of places) dx[i].push(f(f(dout[window]) / count));
    return f(sum(values) / count);
  });
  return { out: of(plan.outputs.out, out), ...(dout ? { dx: of(x.shape, dx.map(sum)) } : {}) };
};

const batchnorm: InFloat32 = (instance, _, sum) => {
  const { x, gamma, beta, running_mean, running_var } = instance.inputs as Record<string, Tensor | undefined> & {
    x: Tensor;
  };
  const { training, epsilon, momentum } = instance.options as { training: boolean; epsilon: number; momentum: number };
  const [N, C] = x.shape;
  const S = x.data.length / (N * C);
  const m = N * S;
  const dout = 'dout' in instance.upstream ? instance.upstream.dout.data : undefined;
  const [out, dx] = [new Float64Array(x.data.length), new Float64Array(x.data.length)];
  const perChannel = range(C).map((c) => {
    const places = range(m).map((k) => (Math.floor(k / S) * C + c) * S + (k % S));
    const values = places.map((i) => f(x.data[i]));
    const mean = training ? f(sum(values) / m) : f(running_mean?.data[c] ?? 0);
    const d = values.map((value) => f(value - mean));
    const variance = training ? f(sum(d.map((each) => f(each * each))) / m) : f(running_var?.data[c] ?? 0);
    const total = f(variance + f(epsilon));
    const r = total > 0 ? f(1 / f(Math.sqrt(total))) : 0;
    const hat = d.map((each) => f(each * r));
    const [g, b] = [f(gamma?.data[c] ?? 1), f(beta?.data[c] ?? 0)];
    places.forEach((i, k) => (out[i] = f(f(g * hat[k]) + b)));
    const upstream = places.map((i) => f(dout?.[i] ?? 0));
    const dbeta = sum(upstream);
    const dgamma = sum(upstream.map((above, k) => f(above * hat[k])));
    places.forEach((i, k) => {
      const inner = training ? f(f(upstream[k] - f(dbeta / m)) - f(hat[k] * f(dgamma / m))) : upstream[k];
      dx[i] = f(f(g * r) * inner);
    });
    const run = (past: number, batch: number) =>
      training ? f(f(f(1 - f(momentum)) * f(past)) + f(f(momentum) * batch)) : f(past);
    return {
      mean,
      variance,
      dbeta,
      dgamma,
      runningMean: run(running_mean?.data[c] ?? 0, mean),
      runningVar: run(running_var?.data[c] ?? 0, f(f(variance * m) / (m - 1))),
    };
  });
  const all = (of_: (channel: (typeof perChannel)[number]) => number) => of([C], perChannel.map(of_));
  return {
    out: of(x.shape, out),
    mean: all(({ mean }) => mean),
    var: all(({ variance }) => variance),
    ...(running_mean
      ? { running_mean: all(({ runningMean }) => runningMean), running_var: all(({ runningVar }) => runningVar) }
      : {}),
    ...(dout
      ? {
          dx: of(x.shape, dx),
          ...given('gamma', instance, () => all(({ dgamma }) => dgamma)),
          ...given('beta', instance, () => all(({ dbeta }) => dbeta)),
        }
      : {}),
  };
};

const sigmoid = (z: number) => f(1 / f(1 + f(Math.exp(-z))));
const tanh = (z: number) => f(Math.tanh(z));
const oneMinus = (a: number) => f(1 - a);
const times = (...factors: number[]) => factors.reduce((a, b) => f(a * b));

interface Unit {
  readonly a: readonly number[];
  readonly h: number;
  readonly c: number;
  readonly cBefore: number;
}

function unitOf(blocks: number, nonlinearity: string, z: readonly number[], cBefore: number): Unit {
  if (blocks === 1) {
    const h = nonlinearity === 'relu' ? Math.max(0, z[0]) : tanh(z[0]);
    return { a: [h], h, c: 0, cBefore };
  }
  const a = [sigmoid(z[0]), sigmoid(z[1]), tanh(z[2]), sigmoid(z[3])];
  const c = f(times(a[1], cBefore) + times(a[0], a[2]));
  return { a, h: times(a[3], tanh(c)), c, cBefore };
}

function unitBack(nonlinearity: string, { a, h, c, cBefore }: Unit, dh: number, dcAfter: number) {
  if (a.length === 1)
    return { dz: [nonlinearity === 'relu' ? (h > 0 ? dh : 0) : times(dh, oneMinus(times(h, h)))], dc: 0 };
  const [i, g, o] = [a[0], a[2], a[3]];
  const shown = tanh(c);
  const dc = f(dcAfter + times(dh, o, oneMinus(times(shown, shown))));
  const dz = [
    times(dc, g, i, oneMinus(i)),
    times(dc, cBefore, a[1], oneMinus(a[1])),
    times(dc, i, oneMinus(times(g, g))),
    times(dh, shown, o, oneMinus(o)),
  ];
  return { dz, dc: times(dc, a[1]) };
}

const recurrent =
  (cell: Cell): InFloat32 =>
  (instance, plan, sum) => {
    const s = recurrentGiven(instance, cell);
    const { blocks, D, N, T, I, H } = s;
    const nonlinearity = String(instance.options.nonlinearity);
    const R = blocks * H;
    const dot = (length: number, w: (k: number) => number, v: (k: number) => number) =>
      range(length).map((k) => f(f(w(k)) * f(v(k))));
    const out = new Float64Array(N * T * D * H);
    const [h_n, c_n, dh0, dc0] = range(4).map(() => new Float64Array(D * N * H));
    const dx = lists(N * T * I);
    const [dih, dhh, dbias] = [lists(D * R * I), lists(D * R * H), lists(D * R)];
    for (let d = 0; d < D; d++)
      for (let n = 0; n < N; n++) {
        const length = s.lengths?.[n] ?? T;
        const time = (step: number) => s.place(n, s.isReverse(d) ? length - 1 - step : step);
        const first = (d * N + n) * H;
        const states = [range(H).map((j) => ({ h: f(s.h0[first + j]), c: f(s.c0[first + j]) }))];
        const units: Unit[][] = [];
        for (let step = 0; step < length; step++) {
          const state = states[step];
          const z = range(R).map((r) =>
            sum([
              s.biasIh[d * R + r],
              ...dot(
                I,
                (i) => s.weightIh[(d * R + r) * I + i],
                (i) => s.x[time(step) * I + i],
              ),
              s.biasHh[d * R + r],
              ...dot(
                H,
                (j) => s.weightHh[(d * R + r) * H + j],
                (j) => state[j].h,
              ),
            ]),
          );
          const next = range(H).map((j) =>
            unitOf(
              blocks,
              nonlinearity,
              range(blocks).map((b) => z[b * H + j]),
              state[j].c,
            ),
          );
          next.forEach(({ h }, j) => (out[(time(step) * D + d) * H + j] = h));
          units.push(next);
          states.push(next);
        }
        states[length].forEach(({ h, c }, j) => ([h_n[first + j], c_n[first + j]] = [h, c]));
        let dh = range(H).map((j) => f(s.dhLast[first + j]));
        let dc = range(H).map((j) => f(s.dcLast[first + j]));
        for (let step = length - 1; step >= 0; step--) {
          const backs = units[step].map((unit, j) =>
            unitBack(nonlinearity, unit, f(dh[j] + f(s.dout[(time(step) * D + d) * H + j])), dc[j]),
          );
          const dz = range(R).map((r) => backs[r % H].dz[Math.floor(r / H)]);
          dc = backs.map((back) => back.dc);
          dz.forEach((value, r) => {
            const row = d * R + r;
            for (let i = 0; i < I; i++) {
              dx[time(step) * I + i].push(times(f(s.weightIh[row * I + i]), value));
              dih[row * I + i].push(times(f(s.x[time(step) * I + i]), value));
            }
            for (let j = 0; j < H; j++) dhh[row * H + j].push(times(states[step][j].h, value));
            dbias[row].push(value);
          });
          dh = range(H).map((j) =>
            sum(
              dot(
                R,
                (r) => s.weightHh[(d * R + r) * H + j],
                (r) => dz[r],
              ),
            ),
          );
        }
        dh.forEach((value, j) => (dh0[first + j] = value));
        dc.forEach((value, j) => (dc0[first + j] = value));
      }
    const { weight_ih, weight_hh, x } = instance.inputs;
    const stateShape = plan.outputs.h_n;
    const bias = () => of(weight_ih.shape.slice(0, -1), dbias.map(sum));
    return {
      out: of(plan.outputs.out, out),
      h_n: of(stateShape, h_n),
      ...(blocks === 4 ? { c_n: of(stateShape, c_n) } : {}),
      dx: of(x.shape, dx.map(sum)),
      dweight_ih: of(weight_ih.shape, dih.map(sum)),
      dweight_hh: of(weight_hh.shape, dhh.map(sum)),
      ...given('bias_ih', instance, bias),
      ...given('bias_hh', instance, bias),
      ...given('h0', instance, () => of(stateShape, dh0)),
      ...given('c0', instance, () => of(stateShape, dc0)),
    };
  };

/** By layer name. Dropout is absent: it sums nothing. */
export const inFloat32 = {
  batchnorm,
  convolution,
  linear,
  lstm: recurrent('lstm'),
  pooling,
  rnn: recurrent('tanh'),
} as const satisfies Record<string, InFloat32>;
