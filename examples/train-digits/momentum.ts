/**
 * Gradient descent with momentum, in PyTorch's form:
 *
 * velocity = momentum · velocity + gradient
 * value = value − rate · velocity
 */
import type { Vector } from './client.js';

export class Momentum {
  private readonly velocities = new Map<Vector, Vector>();

  constructor(private readonly momentum: number) {}

  /** Moves the rows in place. A row keeps its velocity from step to step. */
  step(rows: readonly Vector[], gradients: readonly Vector[], rate: number): void {
    rows.forEach((row, r) => {
      const velocity = this.velocityOf(row);
      for (let i = 0; i < row.length; i++) {
        velocity[i] = this.momentum * velocity[i] + gradients[r][i];
        row[i] -= rate * velocity[i];
      }
    });
  }

  private velocityOf(row: Vector): Vector {
    const velocity = this.velocities.get(row) ?? row.map(() => 0);
    this.velocities.set(row, velocity);
    return velocity;
  }
}
