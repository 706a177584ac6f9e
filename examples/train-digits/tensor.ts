/** Tensors in float32, row-major, with all values in one flat array. */

export class Tensor {
  constructor(
    readonly shape: readonly number[],
    readonly data: Float32Array<ArrayBuffer>,
  ) {}
}

export function filled(shape: readonly number[], value: number): Tensor {
  return new Tensor(shape, new Float32Array(sizeOf(shape)).fill(value));
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, length) => size * length, 1);
}

/** Stacks N tensors of the same shape into one of shape [N, …shape]. */
export function stack(tensors: readonly Tensor[]): Tensor {
  const [{ shape, data }] = tensors;
  const stacked = new Tensor([tensors.length, ...shape], new Float32Array(tensors.length * data.length));
  tensors.forEach((tensor, n) => {
    stacked.data.set(tensor.data, n * data.length);
  });
  return stacked;
}

/** The tensors along the first axis, as views. */
export function unstack({ shape: [N, ...shape], data }: Tensor): Tensor[] {
  const size = sizeOf(shape);
  return Array.from({ length: N }, (_, n) => new Tensor(shape, data.subarray(n * size, (n + 1) * size)));
}
