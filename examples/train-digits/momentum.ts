/**
 * Gradient descent with momentum, in PyTorch's form:
 *
 * velocity = momentum · velocity + gradient
 * value = value − rate · velocity
 */
import { filled, type Tensor } from './tensor.js';

export class Momentum {
  private readonly velocities: readonly Tensor[];

  constructor(
    private readonly parameters: readonly Tensor[],
    private readonly momentum: number,
  ) {
    this.velocities = parameters.map(({ shape }) => filled(shape, 0));
  }

  /** Updates the parameters in place. */
  step(gradients: readonly Tensor[], rate: number): void {
    this.parameters.forEach(({ data: values }, p) => {
      const velocity = this.velocities[p].data;
      const gradient = gradients[p].data;
      for (let i = 0; i < values.length; i++) {
        velocity[i] = this.momentum * velocity[i] + gradient[i];
        values[i] -= rate * velocity[i];
      }
    });
  }
}
