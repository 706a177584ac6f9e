/** Explains the cells of rnn and lstm from the trace of their sequence. */
import { texFactor, texNumber } from '../tensors/format.js';
import { at, type Index } from '../tensors/tensor.js';
import {
  MOST_PRODUCTS,
  sumExplanation,
  sumOf,
  term,
  type Call,
  type Cell,
  type Explain,
  type Explanation,
  type Feed,
  type Share,
  type Term,
} from './explanation.js';
import {
  arriving,
  layoutOf,
  only,
  placed,
  PATHS,
  productsOf,
  range,
  stacked,
  traceBackward,
  traceForward,
  type Layout,
  type Path,
  type Step,
} from './trace.js';

const GATES = ['i', 'f', 'g', 'o'] as const;

const PATH_NAMES: Readonly<Record<Path, string>> = {
  out: "this step's dout",
  hidden: 'through the hidden state',
  cell: 'through the cell state',
};

/** One sequence in one direction. */
interface Sequence {
  readonly call: Call;
  readonly layout: Layout;
  readonly n: number;
  readonly d: number;
}

const isState = (tensor: string) => /^d?[hc](_n|0)$/.test(tensor);

export const explainRecurrence: Explain = (cell, call) => {
  const layout = layoutOf(call);
  // The contribution of each step to a gradient takes a separate backward pass.
  if (!layout || layout.T * productsOf(layout) > MOST_PRODUCTS) return undefined;
  const { tensor, index } = cell;
  const two = layout.directions.length === 2;
  if (tensor === 'out') {
    const [n, t] = layout.timeMajor ? [index[1], index[0]] : index;
    const feature = index[2];
    const sequence = { call, layout, n, d: Math.floor(feature / layout.H) };
    const step = traceForward(call, layout, n, sequence.d).find((each) => each.t === t);
    if (!step)
      return {
        value: 0,
        formula: String.raw`\text{out}_t = 0`,
        filled: [],
        feeds: [],
        note: 'This step is past the end of its sequence.',
      };
    return explainState(sequence, step, feature % layout.H, 'h');
  }
  const inner = two ? index.slice(1) : index;
  const d = two ? index[0] : 0;
  if (isState(tensor)) {
    const sequence = { call, layout, n: inner[0], d };
    if (tensor === 'h_n' || tensor === 'c_n') {
      const step = traceForward(call, layout, inner[0], d).at(-1);
      return step && explainState(sequence, step, inner[1], tensor === 'h_n' ? 'h' : 'c');
    }
    return explainFirstState(tensor as 'dh0' | 'dc0', sequence, inner[1]);
  }
  if (tensor === 'dx') return explainDx(index, call, layout);
  return explainParameter(tensor, d, inner, call, layout);
};

/** The cell with the state before a step: in `out` one step earlier, or in `h0`. */
function before(sequence: Sequence, step: Step, steps: readonly Step[], h: number): Cell | undefined {
  const { call, layout, n, d } = sequence;
  const s = steps.findIndex(({ t }) => t === step.t);
  if (s > 0) return { tensor: 'out', index: placed(layout, n, steps[s - 1].t, d * layout.H + h) };
  return call.inputs.h0 ? { tensor: 'h0', index: stacked(layout, d, n, h) } : undefined;
}

/** The terms of the sum `z[r]`. */
function preActivation(sequence: Sequence, step: Step, r: number): Term[] {
  const { call, layout, n, d } = sequence;
  const { weight_ih, weight_hh } = call.inputs;
  if (!weight_ih || !weight_hh) return [];
  const steps = traceForward(call, layout, n, d);
  const weight = (tensor: 'weight_ih' | 'weight_hh', column: number) => {
    const cell = { tensor, index: stacked(layout, d, r, column) };
    return [cell, at(tensor === 'weight_ih' ? weight_ih : weight_hh, cell.index)] as const;
  };
  return [
    ...step.x.map((value, i) =>
      term([{ tensor: 'x', index: placed(layout, n, step.t, i) }, value], weight('weight_ih', i)),
    ),
    ...step.hBefore.map((value, h) => term([before(sequence, step, steps, h), value], weight('weight_hh', h))),
    ...(['bias_ih', 'bias_hh'] as const).flatMap((tensor) => {
      const bias = call.inputs[tensor];
      const index = stacked(layout, d, r);
      return bias ? [term([{ tensor, index }, at(bias, index)])] : [];
    }),
  ];
}

function explainState(sequence: Sequence, step: Step, h: number, state: 'h' | 'c'): Explanation {
  const { call, layout } = sequence;
  const { H, gates } = layout;
  const rows = gates === 1 ? [h] : range(4).map((gate) => gate * H + h);
  const terms = rows.flatMap((r) => preActivation(sequence, step, r));
  const feeds = terms.flatMap(({ cells }) => cells.map((cell): Feed => ({ ...cell })));
  if (gates === 1) {
    const f = call.options.nonlinearity === 'relu' ? String.raw`\operatorname{relu}` : String.raw`\tanh`;
    return {
      value: step.h[h],
      formula: String.raw`h_t = ${f}(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})`,
      filled: [String.raw`h = ${f}(${texNumber(step.z[h])}) = ${texNumber(step.h[h])}`],
      sum: { name: 'z = W_ih x + W_hh h + b', terms, value: step.z[h] },
      feeds,
    };
  }
  const [i, f, g, o] = range(4).map((gate) => step.activations[gate * H + h]);
  const z = range(4).map((gate) => step.z[gate * H + h]);
  const activated = GATES.map(
    (name, gate) =>
      String.raw`${name} = ${name === 'g' ? String.raw`\tanh` : String.raw`\sigma`}(${texNumber(z[gate])}) = ${texNumber([i, f, g, o][gate])}`,
  );
  const cell = String.raw`c_t = f c_{t-1} + i g = ${texFactor(f)} \cdot ${texFactor(step.cBefore[h])} + ${texFactor(i)} \cdot ${texFactor(g)} = ${texNumber(step.c[h])}`;
  return {
    value: state === 'h' ? step.h[h] : step.c[h],
    formula:
      state === 'h'
        ? String.raw`h_t = o \, \tanh(c_t), \quad c_t = f \, c_{t-1} + i \, g`
        : String.raw`c_t = f \, c_{t-1} + i \, g`,
    filled: [
      ...activated,
      cell,
      ...(state === 'h'
        ? [String.raw`h_t = ${texFactor(o)} \cdot \tanh(${texNumber(step.c[h])}) = ${texNumber(step.h[h])}`]
        : []),
    ],
    feeds,
    note: 'Each gate has a weighted sum of the same inputs, with its own rows of the weights. All of them are highlighted.',
  };
}

/** The contribution of each upstream gradient to a value that is linear in them. */
function origins(
  { call, layout, n, d }: Sequence,
  valueOf: (dz: (t: number) => readonly number[], end: { dh0: readonly number[]; dc0: readonly number[] }) => number,
): Feed[] {
  const steps = traceForward(call, layout, n, d);
  const all = arriving(call, layout, n, d);
  const partOf = (place: number | 'dh_n' | 'dc_n') => {
    const back = traceBackward(call, layout, d, steps, only(all, place, layout.H));
    return valueOf((t) => back.steps.find((each) => each.t === t)?.dz ?? [], back);
  };
  const feeds = (tensor: string, weight: number, indices: readonly Index[]): Feed[] =>
    weight === 0 || !call.upstream[tensor] ? [] : indices.map((index) => ({ tensor, index, weight }));
  return [
    ...steps.flatMap(({ t }) =>
      feeds(
        'dout',
        partOf(t),
        range(layout.H).map((h) => placed(layout, n, t, d * layout.H + h)),
      ),
    ),
    ...(['dh_n', 'dc_n'] as const).flatMap((tensor) =>
      feeds(
        tensor,
        partOf(tensor),
        range(layout.H).map((h) => stacked(layout, d, n, h)),
      ),
    ),
  ];
}

function backwardOf({ call, layout, n, d }: Sequence) {
  const steps = traceForward(call, layout, n, d);
  return { steps, back: traceBackward(call, layout, d, steps, arriving(call, layout, n, d)) };
}

function explainDx(index: Index, call: Call, layout: Layout): Explanation | undefined {
  const { weight_ih } = call.inputs;
  if (!weight_ih) return undefined;
  const [n, t] = layout.timeMajor ? [index[1], index[0]] : index;
  const i = index[2];
  const weightOf = (d: number, r: number) => at(weight_ih, stacked(layout, d, r, i));
  const shares: Record<Path, number> = { out: 0, hidden: 0, cell: 0 };
  const terms: Term[] = [];
  const feeds: Feed[] = [];
  for (const d of range(layout.directions.length)) {
    const sequence = { call, layout, n, d };
    const step = backwardOf(sequence).back.steps.find((each) => each.t === t);
    if (!step) continue;
    step.dz.forEach((dz, r) => {
      terms.push(term([undefined, dz], [{ tensor: 'weight_ih', index: stacked(layout, d, r, i) }, weightOf(d, r)]));
    });
    for (const path of PATHS) shares[path] += sumOf(step.parts[path].map((dz, r) => dz * weightOf(d, r)));
    feeds.push(...origins(sequence, (dz) => sumOf(dz(t).map((value, r) => value * weightOf(d, r)))));
  }
  const sum = sumExplanation(String.raw`\text{dx}_t = W_{ih}^{\mathsf{T}} \, \text{dz}_t`, 'Σ dz · weight_ih', terms);
  const paths = PATHS.filter((path) => path !== 'cell' || layout.gates === 4);
  return {
    ...sum,
    feeds: [...feeds, ...sum.feeds],
    shares: paths.map((path): Share => ({ path: PATH_NAMES[path], value: shares[path] })),
    ...(terms.length === 0 ? { note: 'This step is past the end of its sequence.' } : {}),
  };
}

function explainFirstState(tensor: 'dh0' | 'dc0', sequence: Sequence, h: number): Explanation | undefined {
  const { call, layout, d } = sequence;
  const { weight_hh } = call.inputs;
  if (!weight_hh) return undefined;
  const { steps, back } = backwardOf(sequence);
  const feeds = origins(sequence, (_, end) => end[tensor][h]);
  if (tensor === 'dc0') {
    const forget = steps[0].activations[layout.H + h];
    return {
      value: back.dc0[h],
      formula: String.raw`\text{dc}_0 = \text{dc}_1 \, f_1`,
      filled: [String.raw`${texFactor(back.steps[0].dc[h])} \cdot ${texFactor(forget)} = ${texNumber(back.dc0[h])}`],
      feeds,
    };
  }
  const terms = back.steps[0].dz.map((dz, r) => {
    const index = stacked(layout, d, r, h);
    return term([undefined, dz], [{ tensor: 'weight_hh', index }, at(weight_hh, index)]);
  });
  const sum = sumExplanation(String.raw`\text{dh}_0 = W_{hh}^{\mathsf{T}} \, \text{dz}_1`, 'Σ dz · weight_hh', terms);
  return { ...sum, feeds: [...feeds, ...sum.feeds] };
}

/** Weights and biases: a sum over all steps of all sequences. */
function explainParameter(tensor: string, d: number, [r, column]: Index, call: Call, layout: Layout): Explanation {
  const terms = range(layout.N).flatMap((n) => {
    const sequence = { call, layout, n, d };
    const { steps, back } = backwardOf(sequence);
    return steps.map((step, s): Term => {
      const dz = back.steps[s].dz[r];
      if (tensor === 'dweight_ih')
        return term([undefined, dz], [{ tensor: 'x', index: placed(layout, n, step.t, column) }, step.x[column]]);
      if (tensor === 'dweight_hh')
        return term([undefined, dz], [before(sequence, step, steps, column), step.hBefore[column]]);
      return term([undefined, dz]);
    });
  });
  const [formula, name] = tensor.startsWith('dbias')
    ? [String.raw`\text{db} = \sum_t \text{dz}_t`, 'Σ dz']
    : tensor === 'dweight_ih'
      ? [String.raw`\text{dW}_{ih} = \sum_t \text{dz}_t \, x_t^{\mathsf{T}}`, 'Σ dz · x']
      : [String.raw`\text{dW}_{hh} = \sum_t \text{dz}_t \, h_{t-1}^{\mathsf{T}}`, 'Σ dz · h'];
  const gate = layout.gates === 4 ? ['input', 'forget', 'cell', 'output'][Math.floor(r / layout.H)] : undefined;
  return {
    ...sumExplanation(formula, name, terms),
    ...(gate === undefined ? {} : { note: `Row ${r} belongs to the ${gate} gate.` }),
  };
}
