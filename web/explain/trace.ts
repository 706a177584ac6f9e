/**
 * One sequence of an rnn or lstm in one direction, step by step, forward and backward, with the intermediate values
 * that the service's answers do not contain: gates, cell states, and where each part of a gradient comes from.
 */
import { at, type Index, type Tensor } from '../tensors/tensor.js';
import { sumOf, type Call } from './explanation.js';

type Vector = readonly number[];

export interface Layout {
  readonly N: number;
  readonly T: number;
  readonly I: number;
  readonly H: number;
  /** 1 in an rnn, 4 in an lstm. */
  readonly gates: 1 | 4;
  readonly directions: readonly ('forward' | 'reverse')[];
  readonly timeMajor: boolean;
}

export interface Step {
  /** Its index in time. */
  readonly t: number;
  readonly x: Vector;
  readonly hBefore: Vector;
  readonly cBefore: Vector;
  /** Pre-activations, [H] or [4H]. */
  readonly z: Vector;
  /** i, f, g, o in an lstm; the state itself in an rnn. */
  readonly activations: Vector;
  readonly c: Vector;
  readonly h: Vector;
}

/** The paths by which a gradient reaches a step. */
export const PATHS = ['out', 'hidden', 'cell'] as const;
export type Path = (typeof PATHS)[number];

export interface BackStep {
  readonly t: number;
  readonly dh: Vector;
  /** Gradient with respect to the cell state after the step. */
  readonly dc: Vector;
  readonly dz: Vector;
  /** dz by path: it is the sum of what each path contributes. */
  readonly parts: Readonly<Record<Path, Vector>>;
}

export interface Backward {
  /** In the order of the forward steps. */
  readonly steps: readonly BackStep[];
  readonly dh0: Vector;
  readonly dc0: Vector;
}

export function layoutOf({ inputs, options }: Call): Layout | undefined {
  const { x, weight_ih, weight_hh } = inputs;
  if (!x || !weight_hh || !weight_ih) return undefined;
  const timeMajor = options.time_major === true;
  const [N, T] = timeMajor ? [x.shape[1], x.shape[0]] : [x.shape[0], x.shape[1]];
  const H = weight_hh.shape[weight_hh.shape.length - 1];
  const gates = weight_hh.shape[weight_hh.shape.length - 2] === H ? 1 : 4;
  const direction = options.direction as 'forward' | 'reverse' | 'bidirectional';
  const directions = direction === 'bidirectional' ? (['forward', 'reverse'] as const) : [direction];
  return { N, T, I: x.shape[2], H, gates, directions, timeMajor };
}

/** An index of a weight or state: if there are two directions, the direction comes first. */
export const stacked = ({ directions }: Layout, d: number, ...index: Index): Index =>
  directions.length === 2 ? [d, ...index] : index;

export const placed = ({ timeMajor }: Layout, n: number, t: number, feature: number): Index =>
  timeMajor ? [t, n, feature] : [n, t, feature];

/** Number of products in one direction of the layer, for all sequences, forward or backward. */
export const productsOf = ({ N, T, I, H, gates }: Layout): number => N * T * gates * H * (I + H);

const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));

export const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

const zeros = (length: number): number[] => Array<number>(length).fill(0);

/** The parameters of one direction, as functions of their indices. */
interface Parameters {
  readonly ih: (r: number, i: number) => number;
  readonly hh: (r: number, h: number) => number;
  readonly bias: (r: number) => number;
}

function parametersOf(call: Call, layout: Layout, d: number): Parameters {
  const { weight_ih, weight_hh, bias_ih, bias_hh } = call.inputs as Record<string, Tensor>;
  const read = (tensor: Tensor | undefined, ...index: Index) =>
    tensor === undefined ? 0 : at(tensor, stacked(layout, d, ...index));
  return {
    ih: (r, i) => read(weight_ih, r, i),
    hh: (r, h) => read(weight_hh, r, h),
    bias: (r) => read(bias_ih, r) + read(bias_hh, r),
  };
}

function lengthOf({ inputs: { sequence_lengths } }: Call, { T }: Layout, n: number): number {
  return sequence_lengths ? sequence_lengths.data[n] : T;
}

export function traceForward(call: Call, layout: Layout, n: number, d: number): Step[] {
  const { x, h0, c0 } = call.inputs;
  if (!x) return [];
  const { H, I, gates } = layout;
  const { ih, hh, bias } = parametersOf(call, layout, d);
  const relu = call.options.nonlinearity === 'relu';
  const length = lengthOf(call, layout, n);
  const initial = (tensor: Tensor | undefined) =>
    range(H).map((h) => (tensor ? at(tensor, stacked(layout, d, n, h)) : 0));
  let [h, c]: [Vector, Vector] = [initial(h0), initial(c0)];
  return range(length).map((s): Step => {
    const t = layout.directions[d] === 'forward' ? s : length - 1 - s;
    const xt = range(I).map((i) => at(x, placed(layout, n, t, i)));
    const [hBefore, cBefore] = [h, c];
    const z = range(gates * H).map(
      (r) =>
        sumOf(xt.map((value, i) => value * ih(r, i))) + sumOf(hBefore.map((value, j) => value * hh(r, j))) + bias(r),
    );
    if (gates === 1) {
      h = z.map((value) => (relu ? Math.max(value, 0) : Math.tanh(value)));
      return { t, x: xt, hBefore, cBefore, z, activations: h, c, h };
    }
    const activations = z.map((value, r) => (Math.floor(r / H) === 2 ? Math.tanh(value) : sigmoid(value)));
    const [i, f, g, o] = range(4).map((gate) => activations.slice(gate * H, (gate + 1) * H));
    c = cBefore.map((before, j) => f[j] * before + i[j] * g[j]);
    h = c.map((cell, j) => o[j] * Math.tanh(cell));
    return { t, x: xt, hBefore, cBefore, z, activations, c, h };
  });
}

/** The upstream gradients of one sequence, at each step and at the final states. */
export interface Arriving {
  readonly dout: (t: number) => Vector;
  readonly dh_n: Vector;
  readonly dc_n: Vector;
}

export function arriving(call: Call, layout: Layout, n: number, d: number): Arriving {
  const { dout, dh_n, dc_n } = call.upstream;
  const { H } = layout;
  const last = (tensor: Tensor | undefined) => range(H).map((h) => (tensor ? at(tensor, stacked(layout, d, n, h)) : 0));
  return {
    dout: (t) => range(H).map((h) => (dout ? at(dout, placed(layout, n, t, d * H + h)) : 0)),
    dh_n: last(dh_n),
    dc_n: last(dc_n),
  };
}

/** Only the upstream gradient at one step or final state, to find its contribution to another gradient. */
export function only(from: Arriving, t: number | 'dh_n' | 'dc_n', H: number): Arriving {
  return {
    dout: (step) => (step === t ? from.dout(step) : zeros(H)),
    dh_n: t === 'dh_n' ? from.dh_n : zeros(H),
    dc_n: t === 'dc_n' ? from.dc_n : zeros(H),
  };
}

export function traceBackward(call: Call, layout: Layout, d: number, steps: readonly Step[], from: Arriving): Backward {
  const { H, gates } = layout;
  const { hh } = parametersOf(call, layout, d);
  const relu = call.options.nonlinearity === 'relu';
  let [dhAfter, dcAfter]: [Vector, Vector] = [from.dh_n, from.dc_n];
  const back = [...steps].reverse().map((step): BackStep => {
    const arrived: Record<Path, { dh: Vector; dc: Vector }> = {
      out: { dh: from.dout(step.t), dc: zeros(H) },
      hidden: { dh: dhAfter, dc: zeros(H) },
      cell: { dh: zeros(H), dc: dcAfter },
    };
    const ofPath = ({ dh, dc }: { dh: Vector; dc: Vector }) =>
      gates === 1 ? { dz: cellBackward(step, dh, relu), dc } : gatedBackward(step, dh, dc, H);
    const parts = Object.fromEntries(PATHS.map((path) => [path, ofPath(arrived[path])])) as Record<
      Path,
      { dz: Vector; dc: Vector }
    >;
    const total = (of: (path: Path) => Vector) => of('out').map((_, i) => sumOf(PATHS.map((path) => of(path)[i])));
    const dz = total((path) => parts[path].dz);
    const dh = total((path) => arrived[path].dh);
    const dc = total((path) => parts[path].dc);
    dhAfter = range(H).map((h) => sumOf(dz.map((value, r) => value * hh(r, h))));
    dcAfter = gates === 1 ? zeros(H) : dc.map((value, j) => value * step.activations[H + j]);
    return {
      t: step.t,
      dh,
      dc,
      dz,
      parts: { out: parts.out.dz, hidden: parts.hidden.dz, cell: parts.cell.dz },
    };
  });
  return { steps: back.reverse(), dh0: dhAfter, dc0: dcAfter };
}

function cellBackward({ h }: Step, dh: Vector, relu: boolean): Vector {
  return dh.map((value, j) => (relu ? (h[j] > 0 ? value : 0) : value * (1 - h[j] * h[j])));
}

function gatedBackward({ activations, c, cBefore }: Step, dh: Vector, dcArrived: Vector, H: number) {
  const [i, f, g, o] = range(4).map((gate) => activations.slice(gate * H, (gate + 1) * H));
  const dc = c.map((cell, j) => dcArrived[j] + dh[j] * o[j] * (1 - Math.tanh(cell) ** 2));
  const dz = [
    ...dc.map((value, j) => value * g[j] * i[j] * (1 - i[j])),
    ...dc.map((value, j) => value * cBefore[j] * f[j] * (1 - f[j])),
    ...dc.map((value, j) => value * i[j] * (1 - g[j] * g[j])),
    ...dh.map((value, j) => value * Math.tanh(c[j]) * o[j] * (1 - o[j])),
  ];
  return { dz, dc };
}
