/**
 * Mistakes of the handwritten implementations that the checks do not name, because a slip in a formula says as much.
 * Each must get a diagnosis of that kind.
 */
import type { Options } from '../../src/layers/instance.js';

export interface Unnamed {
  readonly id: string;
  readonly tensors: readonly string[];
  /** What the diagnosis of one of the tensors says. */
  readonly says: RegExp;
  readonly needs?: Options;
  readonly axes?: number;
}

/** Of recurrent layers. */
const WEIGHTS = ['dweight_ih', 'dweight_hh', 'dbias_ih', 'dbias_hh'];
const GATES = ['dx', 'dweight_ih', 'dbias_hh'];

export const unnamed: Readonly<Record<string, readonly Unnamed[]>> = {
  activation: [
    { id: 'not_applied', tensors: ['out'], says: /(relu|tanh) was not applied to x/ },
    {
      id: 'sigmoid_for_tanh',
      tensors: ['out'],
      needs: { function: 'tanh' },
      says: /σ\(x\) was used instead of tanh\(x\)/,
    },
    {
      id: 'derivative_missing',
      tensors: ['dx'],
      says: /the factor (\(1 − out²\)|positive\(x\)) is missing/,
    },
    { id: 'dout_ignored', tensors: ['dx'], says: /the factor dout is missing/ },
    { id: 'sign_of_dout', tensors: ['dx'], needs: { function: 'relu' }, says: /dout was used instead of x/ },
    { id: 'square_of_x', tensors: ['dx'], needs: { function: 'tanh' }, says: /x was used instead of out/ },
    {
      id: 'square_missing',
      tensors: ['dx'],
      needs: { function: 'tanh' },
      says: /out has the power 1 instead of 2/,
    },
  ],
  batchnorm: [
    {
      id: 'mean_path_of_wrong_sign',
      tensors: ['dx'],
      needs: { training: true },
      says: /the sign of the term Σ_ns dx̂ is wrong/u,
    },
    {
      id: 'variance_path_of_wrong_sign',
      tensors: ['dx'],
      needs: { training: true },
      says: /the sign of the term x̂ · Σ_ns dx̂ · x̂ is wrong/u,
    },
    {
      id: 'variance_path_without_half',
      tensors: ['dx'],
      needs: { training: true },
      says: /the term x̂ · Σ_ns dx̂ · x̂ is subtracted twice/u,
    },
    {
      id: 'batch_size_for_count',
      tensors: ['dx'],
      needs: { training: true },
      axes: 1,
      says: /N was used instead of m/,
    },
    { id: 'epsilon_forgotten', tensors: ['out', 'dx', 'dgamma'], says: /the term epsilon is missing/ },
    { id: 'epsilon_twice', tensors: ['out', 'dx', 'dgamma'], says: /the term epsilon is added twice/ },
    { id: 'root_missing', tensors: ['out', 'dx', 'dgamma'], says: /the square root is missing/ },
    {
      id: 'variance_not_centered',
      tensors: ['var', 'running_var'],
      needs: { training: true },
      says: /the term batch_mean is missing/,
    },
    { id: 'mean_not_subtracted', tensors: ['out', 'dgamma'], says: /the term mean is missing/ },
    { id: 'beta_missing', tensors: ['out'], says: /the term beta is missing/ },
    { id: 'gamma_missing', tensors: ['out'], says: /the factor gamma is missing/ },
    { id: 'dgamma_from_x', tensors: ['dgamma'], says: /x was used instead of x̂/u },
    { id: 'dgamma_from_out', tensors: ['dgamma'], says: /out was used instead of x̂/u },
    { id: 'dgamma_from_centered_x', tensors: ['dgamma'], says: /centred was used instead of x̂/u },
    {
      id: 'parameter_gradients_averaged',
      tensors: ['dgamma', 'dbeta'],
      says: /was divided by 9, the number of samples and places/,
    },
  ],
  convolution: [
    ...['stride', 'dilation', 'padding'].map((option) => ({
      id: `${option}_forgotten_in_backward`,
      tensors: ['dx', 'dweight'],
      says: new RegExp(`the ${option} is missing.*only to dx.* and dweight`),
    })),
    { id: 'padding_side_in_backward', tensors: ['dx', 'dweight'], says: /In backward, the pads/ },
    {
      id: 'padding_cropped_at_one_end',
      tensors: ['out', 'dx'],
      says: /padding is missing/,
      needs: { transposed: true },
    },
    { id: 'padding_replicated', tensors: ['out', 'dx', 'dweight'], says: /nearest/, needs: { transposed: false } },
    { id: 'padding_reflected', tensors: ['out', 'dx', 'dweight'], says: /mirror/, needs: { transposed: false } },
    { id: 'padding_wrapped', tensors: ['out', 'dx', 'dweight'], says: /wrap around/, needs: { transposed: false } },
    {
      id: 'output_padding_before',
      tensors: ['out', 'dx', 'dweight'],
      says: /start of out/,
      needs: { transposed: true },
    },
    { id: 'dx_kernel_flipped', tensors: ['dx'], says: /the kernel is flipped.*only to dx/ },
    {
      id: 'kernel_flipped',
      tensors: ['out', 'dx', 'dweight'],
      says: /the kernel is flipped, as/,
      needs: { transposed: false },
    },
    {
      id: 'kernel_not_turned',
      tensors: ['out', 'dx', 'dweight'],
      says: /the kernel is flipped, or/,
      needs: { transposed: true },
    },
    { id: 'dweight_reversed', tensors: ['dweight'], says: /the kernel is flipped.*only to dweight/ },
    {
      id: 'kernel_axes_exchanged',
      tensors: ['out', 'dx', 'dweight'],
      says: /its axes \d and \d are exchanged/,
      axes: 2,
    },
    { id: 'groups_ignored', tensors: ['out', 'dx', 'dweight'], says: /groups are ignored/ },
    { id: 'groups_ignored_in_backward', tensors: ['dx', 'dweight'], says: /groups are ignored.*only to dx/ },
    { id: 'groups_interleaved', tensors: ['out', 'dx', 'dweight'], says: /are interleaved/ },
    { id: 'dweight_of_one_sample', tensors: ['dweight'], says: /only the last of the samples counts/ },
    { id: 'dweight_averaged', tensors: ['dweight'], says: /was divided by 2, the number of samples/ },
    { id: 'dbias_averaged', tensors: ['dbias'], says: /was divided by \d+, the number of samples and/ },
    { id: 'dbias_of_one_sample', tensors: ['dbias'], says: /only the last of the samples counts/ },
    { id: 'dbias_over_batch_alone', tensors: ['dbias'], says: /only over the batch/ },
    { id: 'bias_missing', tensors: ['out'], says: /the term bias is missing/ },
  ],
  dropout: [
    {
      id: 'mask_missing_in_backward',
      tensors: ['dx'],
      needs: { training: true },
      says: /the factor mask is missing/,
    },
    {
      id: 'scale_missing_in_backward',
      tensors: ['dx'],
      needs: { training: true, scaling: 'inverted' },
      says: /the division by \(1 − rate\) is missing/,
    },
    {
      id: 'scale_missing',
      tensors: ['out', 'dx'],
      needs: { training: true, scaling: 'inverted' },
      says: /the division by \(1 − rate\) is missing/,
    },
    {
      id: 'scaled_by_one_minus_rate',
      tensors: ['out', 'dx'],
      needs: { training: true, scaling: 'inverted' },
      says: /the product is multiplied by \(1 − rate\) instead of divided by it/,
    },
    {
      id: 'scaled_twice',
      tensors: ['out', 'dx'],
      needs: { training: true, scaling: 'inverted' },
      says: /the product is divided by \(1 − rate\) once too often/,
    },
    {
      id: 'scaled_without_mask',
      tensors: ['out'],
      needs: { training: true, scaling: 'inverted' },
      says: /the factor mask is missing/,
    },
    {
      id: 'not_scaled_in_inference',
      tensors: ['out', 'dx'],
      needs: { training: false, scaling: 'test_time' },
      says: /the factor \(1 − rate\) is missing/,
    },
  ],
  linear: [
    { id: 'dbias_averaged', tensors: ['dbias'], says: /divided by/ },
    { id: 'dweight_averaged', tensors: ['dweight'], says: /divided by/ },
    { id: 'dx_averaged', tensors: ['dx'], says: /divided|times/ },
    { id: 'dweight_of_one_row', tensors: ['dweight'], says: /only the (first|last) of the rows of x counts/ },
    { id: 'dbias_of_one_row', tensors: ['dbias'], says: /only the (first|last) of the rows of x counts/ },
    { id: 'bias_missing', tensors: ['out'], says: /the term bias is missing/ },
    { id: 'bias_subtracted', tensors: ['out'], says: /the sign of the term bias is wrong/ },
  ],
  lstm: [
    {
      id: 'weight_gradients_of_one_step',
      tensors: WEIGHTS,
      says: /only the (first|last) of the time steps|only the last of the time steps that the pass reaches counts/,
    },
    { id: 'dweight_hh_without_h0', tensors: ['dweight_hh'], says: /the first of the time steps is left out/ },
    { id: 'dh0_before_weight', tensors: ['dh0'], says: /In dh0 = dh_back\[0, j\], dz\w* was used/ },
    { id: 'bias_ih_missing', tensors: ['out', 'dx'], says: /the term bias_ih is missing.*the term bias_ih is missing/ },
    { id: 'bias_hh_missing', tensors: ['out', 'dx'], says: /the term bias_hh is missing.*the term bias_hh is missing/ },
    { id: 'lengths_ignored', tensors: ['out', 'dx'], says: /The lengths of the sequences were ignored.*The lengths/ },
    { id: 'cell_gradient_assigned', tensors: GATES, says: /In dc =.* the term dc_back_\(t\+1\) is missing/ },
    { id: 'hidden_path_to_cell_missing', tensors: GATES, says: /In dc =.* the term dh · o · .* is missing/ },
    {
      id: 'forget_gate_missing_in_carry',
      tensors: ['dc0', 'dx'],
      says: /In dc_back = dc · f, the factor f is missing/,
    },
    { id: 'input_gate_in_carry', tensors: ['dc0', 'dx'], says: /In dc_back = dc · f, i was used instead of f/ },
    {
      id: 'forget_gradient_uses_c_t',
      tensors: GATES,
      says: /In dz_f =.* c of the same step was used instead of c_\(t−1\)/,
    },
    { id: 'output_gradient_without_tanh', tensors: GATES, says: /In dz_o =.* tanh was not applied to c/ },
    { id: 'cell_tanh_derivative_missing', tensors: GATES, says: /In dc =.* the factor \(1 − tanh\(c\)²\) is missing/ },
    { id: 'output_gate_missing_to_cell', tensors: GATES, says: /In dc =.* the factor o is missing/ },
    { id: 'input_gate_derivative_missing', tensors: GATES, says: /input gate was not multiplied by the derivative/ },
    { id: 'forget_gate_derivative_missing', tensors: GATES, says: /forget gate was not multiplied by the derivative/ },
    { id: 'cell_gate_derivative_missing', tensors: GATES, says: /In dz_g =.* the factor \(1 − g²\) is missing/ },
    { id: 'output_gate_derivative_missing', tensors: GATES, says: /output gate was not multiplied by the derivative/ },
    { id: 'cell_gate_derivative_without_square', tensors: GATES, says: /In dz_g =.* g has the power 1 instead of 2/ },
    {
      id: 'derivatives_all_of_sigmoid',
      tensors: GATES,
      says: /In dz_g =.* the derivative of σ.* instead of that of tanh/,
    },
    { id: 'forget_gate_left_out', tensors: ['out', 'c_n'], says: /In c =.* the factor f is missing/ },
    {
      id: 'cell_state_for_hidden_state',
      tensors: ['out', 'c_n'],
      says: /In z =.* c_\(t−1\) was used instead of h_\(t−1\)/,
    },
  ],
  pooling: [
    ...['stride', 'dilation', 'padding'].map((option) => ({
      id: `${option}_forgotten_in_backward`,
      tensors: ['dx'],
      says: new RegExp(`the ${option} is missing.*only to`),
    })),
    { id: 'kernel_for_stride_in_backward', tensors: ['dx'], says: /p is multiplied by the kernel size.*only to/ },
    { id: 'last_tie_wins', tensors: ['dx', 'indices'], says: /the last of equal values/, needs: { mode: 'max' } },
    { id: 'minimum', tensors: ['out', 'dx', 'indices'], says: /the smallest value/, needs: { mode: 'max' } },
    { id: 'indices_in_the_window', tensors: ['indices'], says: /the taps of the window/, needs: { mode: 'max' } },
    { id: 'indices_in_the_padded_plane', tensors: ['indices'], says: /the padded plane/, needs: { mode: 'max' } },
    {
      id: 'indices_in_the_slice',
      tensors: ['indices'],
      says: /a slice/,
      needs: { mode: 'max', global: false },
      axes: 2,
    },
    {
      id: 'pad_counted',
      tensors: ['out', 'dx'],
      says: /counts the padding too/,
      needs: { mode: 'average', count_include_pad: false },
    },
    {
      id: 'pad_not_counted',
      tensors: ['out', 'dx'],
      says: /counts only the elements inside the input/,
      needs: { mode: 'average', count_include_pad: true },
    },
    {
      id: 'divided_by_the_full_window',
      tensors: ['out', 'dx'],
      says: /divided by the size of the kernel/,
      needs: { mode: 'average', ceil_mode: true },
    },
    { id: 'divided_by_the_span', tensors: ['out'], says: /divided by its span/, needs: { mode: 'average' } },
    { id: 'not_divided', tensors: ['out', 'dx'], says: /the division by count is missing/, needs: { mode: 'average' } },
    {
      id: 'gradient_not_divided',
      tensors: ['dx'],
      says: /the division by count is missing/,
      needs: { mode: 'average' },
    },
    {
      id: 'gradient_divided_by_another_count',
      tensors: ['dx'],
      says: /counts (the padding too|only the elements).*only to dx/,
      needs: { mode: 'average' },
    },
  ],
  rnn: [
    {
      id: 'weight_gradients_of_one_step',
      tensors: WEIGHTS,
      says: /only the (first|last) of the time steps|only the last of the time steps that the pass reaches counts/,
    },
    { id: 'dweight_hh_without_h0', tensors: ['dweight_hh'], says: /the first of the time steps is left out/ },
    { id: 'dh0_before_weight', tensors: ['dh0'], says: /In dh0 = dh_back\[0, j\], dz\w* was used/ },
    { id: 'bias_ih_missing', tensors: ['out', 'dx'], says: /the term bias_ih is missing.*the term bias_ih is missing/ },
    { id: 'bias_hh_missing', tensors: ['out', 'dx'], says: /the term bias_hh is missing.*the term bias_hh is missing/ },
    { id: 'lengths_ignored', tensors: ['out', 'dx'], says: /The lengths of the sequences were ignored.*The lengths/ },
    { id: 'dweight_hh_transposed', tensors: ['dweight_hh'], says: /dweight_hh was transposed/ },
    {
      id: 'derivative_without_square',
      tensors: ['dx', 'dweight_hh'],
      says: /In dz.* h has the power 1 instead of 2/,
      needs: { nonlinearity: 'tanh' },
    },
    {
      id: 'derivative_of_sigmoid',
      tensors: ['dx', 'dweight_hh'],
      says: /The derivative is that of another nonlinearity/,
    },
  ],
};
