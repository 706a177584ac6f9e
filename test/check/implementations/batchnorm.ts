/** A handwritten batchnorm: channel by channel, with the closed form of the gradient. */
import { make, range, sum, values, type Implementation } from './implementation.js';

export const batchnorm: Implementation = ({ inputs, options, upstream }, wrong = '') => {
  const { shape } = inputs.x;
  const [N, C] = shape;
  const x = values(inputs.x);
  const S = x.length / (N * C);
  const dout = 'dout' in upstream ? values(upstream.dout) : undefined;
  const given = (name: string, otherwise: number) =>
    name in inputs ? values(inputs[name]) : range(C).map(() => otherwise);
  let [gamma, beta] = [given('gamma', 1), given('beta', 0)];
  const { training, epsilon, momentum } = options as { training: boolean; epsilon: number; momentum: number };
  const runningMean = values(inputs.running_mean);
  const runningVar = values(inputs.running_var);
  if (wrong === 'gamma_and_beta_exchanged') [gamma, beta] = [beta, gamma];

  const out = x.map(() => 0);
  const dx = x.map(() => 0);
  const [means, variances, newMean, newVar, dgamma, dbeta]: number[][] = [[], [], [], [], [], []];
  /** Indices of the elements that share a mean with channel c. */
  const placesOf = (c: number) => range(N).flatMap((n) => range(S).map((s) => (n * C + c) * S + s));

  for (let c = 0; c < C; c++) {
    const places = placesOf(c);
    const channel = places.map((i) => x[i]);
    const m = channel.length;
    const batchMean = sum(channel) / m;
    const squares =
      wrong === 'variance_not_centered'
        ? channel.map((value) => value * value)
        : channel.map((value) => (value - batchMean) * (value - batchMean));
    const batchVar = sum(squares) / m;
    let fromBatch = training;
    if (wrong === 'running_statistics_in_training') fromBatch = false;
    if (wrong === 'batch_statistics_in_inference') fromBatch = true;
    const mean = fromBatch ? batchMean : runningMean[c];
    let variance = fromBatch ? batchVar : runningVar[c];
    if (wrong === 'unbiased_variance' || wrong === 'unbiased_deviation_and_epsilon_outside_root')
      variance = sum(squares) / (m - 1);
    means.push(mean);
    variances.push(variance);

    let std = Math.sqrt(variance + epsilon);
    if (wrong === 'epsilon_outside_root') std = Math.sqrt(variance) + epsilon;
    if (wrong === 'unbiased_deviation_and_epsilon_outside_root') std = Math.sqrt(variance) + epsilon;
    if (wrong === 'epsilon_as_floor') std = Math.sqrt(Math.max(variance, epsilon));
    if (wrong === 'epsilon_forgotten') std = Math.sqrt(variance);
    if (wrong === 'epsilon_twice') std = Math.sqrt(variance + epsilon + epsilon);
    if (wrong === 'root_missing') std = variance + epsilon;

    const hats = channel.map((value) => (wrong === 'mean_not_subtracted' ? value : value - mean) / std);
    places.forEach((i, k) => {
      out[i] = gamma[c] * hats[k] + beta[c];
      if (wrong === 'beta_missing') out[i] = gamma[c] * hats[k];
      if (wrong === 'gamma_missing') out[i] = hats[k] + beta[c];
      if (wrong === 'scale_and_shift_missing') out[i] = hats[k];
      if (wrong === 'beta_scaled') out[i] = gamma[c] * (hats[k] + beta[c]);
    });

    const keep = wrong === 'momentum_inverted' ? momentum : 1 - momentum;
    let batchTerm = (batchVar * m) / (m - 1);
    if (wrong === 'running_var_biased') batchTerm = batchVar;
    if (wrong === 'running_var_of_deviation') batchTerm = Math.sqrt(batchVar);
    const updates = training || wrong === 'running_updated_in_inference';
    newMean.push(updates ? keep * runningMean[c] + (1 - keep) * batchMean : runningMean[c]);
    newVar.push(updates ? keep * runningVar[c] + (1 - keep) * batchTerm : runningVar[c]);
    if (wrong === 'running_without_past') [newMean[c], newVar[c]] = [batchMean, batchTerm];
    if (wrong === 'running_not_updated') [newMean[c], newVar[c]] = [runningMean[c], runningVar[c]];

    if (!dout) continue;
    const douts = places.map((i) => dout[i]);
    const scale = wrong === 'gamma_missing_in_dx' ? 1 : gamma[c];
    const sumOfDout = sum(douts);
    const sumOfProducts = sum(douts.map((value, k) => value * hats[k]));
    dbeta.push(sumOfDout);
    dgamma.push(sumOfProducts);
    if (wrong === 'dgamma_from_x') dgamma[c] = sum(douts.map((value, k) => value * channel[k]));
    if (wrong === 'dgamma_from_out') dgamma[c] = sum(places.map((i) => dout[i] * out[i]));
    if (wrong === 'dgamma_from_centered_x') dgamma[c] = sum(douts.map((value, k) => value * (channel[k] - mean)));
    if (wrong === 'parameter_gradients_averaged') {
      dgamma[c] /= m;
      dbeta[c] /= m;
    }

    let throughMean = sumOfDout / m;
    let throughVar = sumOfProducts / m;
    if (!training) [throughMean, throughVar] = [0, 0];
    switch (wrong) {
      case 'statistics_taken_for_constants':
        [throughMean, throughVar] = [0, 0];
        break;
      case 'training_gradient_in_inference':
        [throughMean, throughVar] = [sumOfDout / m, sumOfProducts / m];
        break;
      case 'mean_path_missing':
        throughMean = 0;
        break;
      case 'variance_path_missing':
        throughVar = 0;
        break;
      case 'mean_path_of_wrong_sign':
        throughMean = -throughMean;
        break;
      case 'variance_path_of_wrong_sign':
        throughVar = -throughVar;
        break;
      case 'variance_path_of_wrong_power':
        // (var + epsilon)^-1 instead of (var + epsilon)^-3/2.
        throughVar *= std;
        break;
      case 'variance_path_without_half':
        throughVar *= 2;
        break;
      case 'sums_for_means_in_dx':
        [throughMean, throughVar] = [sumOfDout, sumOfProducts];
        break;
      case 'sums_divided_by_m_minus_1':
        [throughMean, throughVar] = [sumOfDout / (m - 1), sumOfProducts / (m - 1)];
        break;
      case 'batch_size_for_count':
        [throughMean, throughVar] = [sumOfDout / N, sumOfProducts / N];
        break;
    }
    places.forEach((i, k) => {
      dx[i] = (scale * (douts[k] - throughMean - hats[k] * throughVar)) / (wrong === 'rstd_missing_in_dx' ? 1 : std);
    });
  }

  /** Normalises with the statistics of each set of indices. */
  const normaliseOver = (sets: readonly number[][]) => {
    for (const places of sets) {
      const own = places.map((i) => x[i]);
      const mean = sum(own) / own.length;
      const std = Math.sqrt(sum(own.map((value) => (value - mean) ** 2)) / own.length + epsilon);
      for (const i of places) {
        const c = Math.floor(i / S) % C;
        out[i] = (gamma[c] * (x[i] - mean)) / std + beta[c];
      }
    }
    return { out: make(shape, out) };
  };
  const all = range(x.length);
  if (wrong === 'statistics_of_each_sample')
    return normaliseOver(range(N).map((n) => all.filter((i) => Math.floor(i / (C * S)) === n)));
  if (wrong === 'statistics_of_each_plane')
    return normaliseOver(range(N * C).map((plane) => all.filter((i) => Math.floor(i / S) === plane)));
  if (wrong === 'statistics_over_batch_axis_alone')
    return normaliseOver(range(C * S).map((place) => all.filter((i) => i % (C * S) === place)));
  if (wrong === 'statistics_over_everything') return normaliseOver([all]);

  const forward = {
    out: make(shape, out),
    mean: make([C], means),
    var: make([C], variances),
    ...('running_mean' in inputs ? { running_mean: make([C], newMean), running_var: make([C], newVar) } : {}),
  };
  // An implementation that normalises with the wrong variance also has a different gradient.
  if (!dout || wrong === 'unbiased_variance' || wrong === 'variance_not_centered') return forward;
  const parameters =
    wrong === 'dgamma_and_dbeta_exchanged'
      ? { dgamma: make([C], dbeta), dbeta: make([C], dgamma) }
      : { dgamma: make([C], dgamma), dbeta: make([C], dbeta) };
  return {
    ...forward,
    dx: make(shape, dx),
    ...('gamma' in inputs ? { dgamma: parameters.dgamma } : {}),
    ...('beta' in inputs ? { dbeta: parameters.dbeta } : {}),
  };
};
