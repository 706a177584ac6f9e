import { at, indicesOf, type Index, type Tensor } from '../tensors/tensor.js';
import { texAdded, texFactor, texNumber } from '../tensors/format.js';
import { sumExplanation, sumOf, term, type Call, type Explain, type Explanation, type Feed } from './explanation.js';

/** The quantities of one channel in the formulas. */
interface Channel {
  readonly c: number;
  readonly places: readonly Index[];
  readonly m: number;
  readonly mean: number;
  readonly variance: number;
  readonly root: number;
  readonly gamma: number;
  readonly beta: number;
  readonly normal: (place: Index) => number;
}

export function channelOf({ inputs, options, outputs }: Call, x: Tensor, c: number): Channel {
  const places = indicesOf(x.shape).filter(([, channel]) => channel === c);
  const values = places.map((place) => at(x, place));
  const m = values.length;
  const training = options.training === true;
  const batchMean = sumOf(values) / m;
  const { running_mean, running_var, gamma, beta } = inputs;
  const mean = training || !running_mean ? batchMean : at(running_mean, [c]);
  const variance =
    training || !running_var ? sumOf(values.map((value) => (value - batchMean) ** 2)) / m : at(running_var, [c]);
  const root = Math.sqrt(variance + Number(options.epsilon));
  return {
    c,
    places,
    m,
    mean,
    variance,
    root,
    gamma: gamma ? at(gamma, [c]) : 1,
    beta: beta ? at(beta, [c]) : 0,
    // A constant channel becomes zeros, even if epsilon is 0: `outputs.var` is the variance that the service used.
    normal: (place) => (outputs.var?.data[c] === 0 && root === 0 ? 0 : (at(x, place) - mean) / root),
  };
}

export const explainBatchnorm: Explain = (cell, call) => {
  const { inputs, upstream } = call;
  const { x } = inputs;
  if (!x) return undefined;
  const ofChannel = cell.tensor === 'out' || cell.tensor === 'dx';
  const channel = channelOf(call, x, cell.index[ofChannel ? 1 : 0]);
  switch (cell.tensor) {
    case 'out':
      return explainOut(cell.index, channel, x, call);
    case 'mean':
      return explainMean(channel, x, call);
    case 'var':
      return explainVariance(channel, x, call);
    case 'running_mean':
    case 'running_var':
      return explainRunning(cell.tensor, channel, call);
  }
  if (!upstream.dout) return undefined;
  switch (cell.tensor) {
    case 'dx':
      return explainDx(cell.index, channel, upstream.dout, call);
    case 'dgamma':
      return sumExplanation(
        String.raw`\text{d}\gamma_c = \sum_n \text{dout}_{n,c} \, \hat{x}_{n,c}`,
        'Σ dout · x̂',
        products(channel, upstream.dout),
      );
    case 'dbeta':
      return sumExplanation(
        String.raw`\text{d}\beta_c = \sum_n \text{dout}_{n,c}`,
        'Σ dout',
        douts(channel, upstream.dout),
      );
    default:
      return undefined;
  }
};

const douts = ({ places }: Channel, dout: Tensor) =>
  places.map((index) => term([{ tensor: 'dout', index }, at(dout, index)]));

const products = ({ places, normal }: Channel, dout: Tensor) =>
  places.map((index) => term([{ tensor: 'dout', index }, at(dout, index)], [{ tensor: 'x', index }, normal(index)]));

const given = (names: readonly string[], { inputs }: Call, c: number): Feed[] =>
  names.filter((name) => inputs[name]).map((tensor) => ({ tensor, index: [c] }));

function explainOut(index: Index, channel: Channel, x: Tensor, call: Call): Explanation {
  const { c, places, mean, variance, gamma, beta, normal } = channel;
  const value = gamma * normal(index) + beta;
  const epsilon = Number(call.options.epsilon);
  const training = call.options.training === true;
  const spread = String.raw`\sqrt{${texNumber(variance)} + ${texNumber(epsilon)}}`;
  return {
    value,
    formula: String.raw`\text{out}_{n,c} = \gamma_c \, \frac{x_{n,c} - \mu_c}{\sqrt{\sigma_c^2 + \epsilon}} + \beta_c`,
    filled: [
      String.raw`\text{out} = ${texFactor(gamma)} \cdot \frac{${texNumber(at(x, index))} ${texAdded(-mean)}}{${spread}} ${texAdded(beta)} = ${texNumber(value)}`,
    ],
    feeds: [
      { tensor: 'x', index, weight: 1 },
      ...(training
        ? places.filter((place) => place !== index).map((place) => ({ tensor: 'x', index: place, weight: 0.1 }))
        : given(['running_mean', 'running_var'], call, c)),
      ...given(['gamma', 'beta'], call, c),
    ],
    note: training
      ? 'The whole channel affects this cell: its own x directly, and every x through the mean and the variance.'
      : 'The running statistics are constants here, so no other value of the batch matters.',
  };
}

function explainMean({ c, places, m, mean }: Channel, x: Tensor, call: Call): Explanation {
  if (call.options.training !== true)
    return copied(mean, String.raw`\mu_c = \text{running mean}_c`, 'running_mean', call, c);
  const terms = places.map((index) => term([{ tensor: 'x', index }, at(x, index)]));
  return {
    ...sumExplanation(String.raw`\mu_c = \frac{1}{m} \sum_n x_{n,c}`, 'Σ x', terms),
    value: mean,
    filled: [String.raw`\mu = \frac{${texNumber(mean * m)}}{${m}} = ${texNumber(mean)}`],
  };
}

function explainVariance({ c, places, m, mean, variance }: Channel, x: Tensor, call: Call): Explanation {
  if (call.options.training !== true)
    return copied(variance, String.raw`\sigma_c^2 = \text{running var}_c`, 'running_var', call, c);
  const terms = places.map((index) => {
    const difference = at(x, index) - mean;
    return { ...term([{ tensor: 'x', index }, difference], [undefined, difference]) };
  });
  return {
    ...sumExplanation(String.raw`\sigma_c^2 = \frac{1}{m} \sum_n (x_{n,c} - \mu_c)^2`, 'Σ (x − μ)²', terms),
    value: variance,
    filled: [String.raw`\sigma^2 = \frac{${texNumber(variance * m)}}{${m}} = ${texNumber(variance)}`],
    note: 'This is the biased variance: divided by the count m, not by m − 1.',
  };
}

function copied(value: number, formula: string, tensor: string, call: Call, c: number): Explanation {
  return { value, formula, filled: [], feeds: given([tensor], call, c), note: 'Inference uses the given value.' };
}

function explainRunning(tensor: 'running_mean' | 'running_var', channel: Channel, call: Call): Explanation | undefined {
  const before = call.inputs[tensor];
  if (!before) return undefined;
  const { c, m, mean, variance } = channel;
  const past = at(before, [c]);
  if (call.options.training !== true)
    return copied(past, String.raw`\text{running}_c \text{ unchanged}`, tensor, call, c);
  const momentum = Number(call.options.momentum);
  const batch = tensor === 'running_mean' ? mean : (variance * m) / (m - 1);
  const value = (1 - momentum) * past + momentum * batch;
  return {
    value,
    formula:
      tensor === 'running_mean'
        ? String.raw`\text{running} = (1 - p) \, \text{running} + p \, \mu_c`
        : String.raw`\text{running} = (1 - p) \, \text{running} + p \, \frac{m}{m - 1} \sigma_c^2`,
    filled: [
      String.raw`(1 - ${texNumber(momentum)}) \cdot ${texFactor(past)} + ${texNumber(momentum)} \cdot ${texFactor(batch)} = ${texNumber(value)}`,
    ],
    feeds: [...given([tensor], call, c), ...channel.places.map((index) => ({ tensor: 'x', index }))],
    note: 'p is the momentum: the weight of the batch. The running variance uses the unbiased variance of the batch.',
  };
}

/** The three paths from x to the loss: directly, and through the mean and the variance of its channel. */
function explainDx(index: Index, channel: Channel, dout: Tensor, call: Call): Explanation {
  const { c, places, m, root, gamma, normal } = channel;
  const own = at(dout, index);
  const scale = gamma / root;
  if (call.options.training !== true)
    return {
      value: scale * own,
      formula: String.raw`\text{dx}_{n,c} = \frac{\gamma_c}{\sqrt{\sigma_c^2 + \epsilon}} \, \text{dout}_{n,c}`,
      filled: [
        String.raw`\text{dx} = \frac{${texNumber(gamma)}}{${texNumber(root)}} \cdot ${texFactor(own)} = ${texNumber(scale * own)}`,
      ],
      feeds: [{ tensor: 'dout', index, weight: scale * own }, ...given(['gamma', 'running_var'], call, c)],
      note: 'In inference the statistics are constants, so there is only the direct path.',
    };
  const dbeta = sumOf(places.map((place) => at(dout, place)));
  const dgamma = sumOf(places.map((place) => at(dout, place) * normal(place)));
  const x̂ = normal(index);
  const direct = scale * own;
  const throughMean = (-scale * dbeta) / m;
  const throughVariance = (-scale * x̂ * dgamma) / m;
  const value = direct + throughMean + throughVariance;
  const ratio = String.raw`\frac{${texNumber(gamma)}}{${texNumber(root)}}`;
  const same = (place: Index) => place.every((i, axis) => i === index[axis]);
  return {
    value,
    formula: String.raw`\text{dx}_{n,c} = \frac{\gamma_c}{\sqrt{\sigma_c^2 + \epsilon}} \left( \text{dout}_{n,c} - \frac{\text{d}\beta_c}{m} - \hat{x}_{n,c} \frac{\text{d}\gamma_c}{m} \right)`,
    filled: [
      String.raw`\text{direct: } ${ratio} \cdot ${texFactor(own)} = ${texNumber(direct)}`,
      String.raw`\text{mean: } {-} ${ratio} \cdot \frac{${texNumber(dbeta)}}{${m}} = ${texNumber(throughMean)}`,
      String.raw`\text{variance: } {-} ${ratio} \cdot ${texFactor(x̂)} \cdot \frac{${texNumber(dgamma)}}{${m}} = ${texNumber(throughVariance)}`,
      String.raw`\text{dx} = ${texNumber(direct)} ${texAdded(throughMean)} ${texAdded(throughVariance)} = ${texNumber(value)}`,
    ],
    feeds: [
      // The derivative of this dx with respect to each dout, times that dout.
      ...places.map((place) => ({
        tensor: 'dout',
        index: place,
        weight: scale * at(dout, place) * ((same(place) ? 1 : 0) - 1 / m - (x̂ * normal(place)) / m),
      })),
      { tensor: 'x', index },
      ...given(['gamma'], call, c),
    ],
    shares: [
      { path: 'direct', value: direct },
      { path: 'through the mean', value: throughMean },
      { path: 'through the variance', value: throughVariance },
    ],
  };
}
