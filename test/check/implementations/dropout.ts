/** A handwritten dropout: element by element, with the mask that was drawn. */
import { make, values, type Implementation } from './implementation.js';

export const dropout: Implementation = ({ inputs, options, upstream, drawn }, wrong = '') => {
  const { rate, training, scaling } = options as { rate: number; training: boolean; scaling: string };
  const x = values(inputs.x);
  const mask = values(drawn.mask);
  const keep = 1 - rate;

  const pass = (value: number, i: number): number => {
    if (training) {
      if (wrong === 'not_dropped_in_training') return value;
      if (wrong === 'scaled_without_mask') return value / keep;
      if (wrong === 'another_mask_in_forward') return mask[(i + 1) % mask.length] === 0 ? 0 : value / keep;
      const dropped = wrong === 'mask_inverted' ? mask[i] === 1 : mask[i] === 0;
      if (dropped) return 0;
      if (wrong === 'scale_missing') return value;
      if (wrong === 'scaled_by_rate') return value * rate;
      if (wrong === 'scaled_by_one_minus_rate') return value * keep;
      if (wrong === 'scaled_by_inverse_rate') return value / rate;
      if (wrong === 'scaled_twice') return value / keep / keep;
      if (wrong === 'scaled_in_training_for_test_time') return value / keep;
      return scaling === 'inverted' ? value / keep : value;
    }
    if (wrong === 'dropped_in_inference') return mask[i] === 0 ? 0 : value / keep;
    if (wrong === 'scaled_in_inference_too') return value * keep;
    if (wrong === 'not_scaled_in_inference') return value;
    if (wrong === 'scaled_by_rate_in_inference') return value * rate;
    return scaling === 'inverted' ? value : value * keep;
  };

  const out = x.map(pass);
  const shape = inputs.x.shape;
  if (!('dout' in upstream)) return { out: make(shape, out) };
  const dx = values(upstream.dout).map((d, i) => {
    switch (wrong) {
      case 'mask_missing_in_backward':
        return d / keep;
      case 'scale_missing_in_backward':
        return mask[i] === 0 ? 0 : d;
      case 'backward_does_nothing':
        return d;
      case 'new_mask_in_backward':
        // Not the mask of forward: that of the neighbouring element.
        return mask[(i + 1) % mask.length] === 0 ? 0 : d / keep;
      case 'mask_guessed_from_out':
        return out[i] === 0 ? 0 : d / keep;
      case 'another_mask_in_forward':
      case 'scaled_without_mask':
        return mask[i] === 0 ? 0 : d / keep;
      default:
        return pass(d, i);
    }
  });
  return { out: make(shape, out), dx: make(shape, dx) };
};
