/**
 * Layers, and networks of layers. The service computes the expensive ones; their weights and running statistics are
 * here. What the service does not provide, such as relu, max(x, 0), is computed here.
 *
 * N batch, C channels, H height, W width, I input features, O output features or channels, K kernel.
 */
import type { Client } from './client.js';
import type { Option } from './format.js';
import { filled, sizeOf, stack, Tensor, unstack } from './tensor.js';

export interface Layer {
  /** All learnable tensors, updated in place. */
  readonly parameters: readonly Tensor[];
  forward(x: Tensor, training: boolean): Promise<Pass>;
}

export interface Pass {
  readonly out: Tensor;
  /** Only after a forward pass in training, and only once: it releases the session. */
  readonly backward: (dout: Tensor) => Promise<Gradients>;
}

export interface Gradients {
  readonly dx: Tensor;
  /** In the order of the layer's parameters. */
  readonly dparameters: readonly Tensor[];
}

type Tensors = Readonly<Record<string, Tensor>>;

/** PyTorch's default. */
const EPSILON = 1e-5;

/** @param parameters weight [O, I]; bias [O], or none */
export function linear(client: Client, parameters: { weight: Tensor; bias?: Tensor }): Layer {
  return {
    parameters: Object.values(parameters),
    forward: (x, training) => pass(client, 'linear', x, training, parameters),
  };
}

/** @param parameters weight [O, C, K, K] */
export function convolution(client: Client, parameters: { weight: Tensor }): Layer {
  return {
    parameters: Object.values(parameters),
    forward: (x, training) => pass(client, 'convolution', x, training, parameters),
  };
}

/** Training normalises with the statistics of the batch and updates the running ones; inference uses the running ones. */
export function batchnorm(client: Client, C: number): Layer {
  const parameters = { gamma: filled([C], 1), beta: filled([C], 0) };
  let running: Tensors = { running_mean: filled([C], 0), running_var: filled([C], 1) };
  return {
    parameters: Object.values(parameters),
    async forward(x, training) {
      const options = { ...running, training, epsilon: EPSILON };
      const { answer, ...rest } = await pass(client, 'batchnorm', x, training, parameters, options);
      running = { running_mean: answer.tensor('running_mean'), running_var: answer.tensor('running_var') };
      return rest;
    },
  };
}

/** @param size side of the windows, and their stride */
export function pooling(client: Client, mode: 'max' | 'average', size: number): Layer {
  return {
    parameters: [],
    forward: (x, training) => pass(client, 'pooling', x, training, {}, { mode, kernel_size: size }),
  };
}

/**
 * @param rate fraction of the values that are dropped in training
 * @param random draws the seed that is sent to the service
 */
export function dropout(client: Client, rate: number, random: () => number): Layer {
  return {
    parameters: [],
    forward(x, training) {
      const seed = Math.floor(random() * 2 ** 32);
      return pass(client, 'dropout', x, training, {}, { rate, training, seed });
    },
  };
}

export function relu(): Layer {
  return {
    parameters: [],
    forward({ shape, data }) {
      const out = new Tensor(
        shape,
        data.map((value) => Math.max(value, 0)),
      );
      const backward = (dout: Tensor) => {
        const dx = dout.data.map((value, i) => (data[i] > 0 ? value : 0));
        return Promise.resolve({ dx: new Tensor(shape, dx), dparameters: [] });
      };
      return Promise.resolve({ out, backward });
    },
  };
}

/** [N, …] to [N, I]. */
export function flatten(): Layer {
  return {
    parameters: [],
    forward({ shape, data }) {
      const [N, ...rest] = shape;
      const out = new Tensor([N, sizeOf(rest)], data);
      const backward = (dout: Tensor) => Promise.resolve({ dx: new Tensor(shape, dout.data), dparameters: [] });
      return Promise.resolve({ out, backward });
    },
  };
}

/**
 * In training, shifts each image by whole pixels and fills with zeros, so that an image rarely appears twice in the same position.
 *
 * @param most the largest shift along either axis
 */
export function shift(most: number, random: () => number): Layer {
  const offset = () => Math.floor(random() * (2 * most + 1)) - most;
  return {
    parameters: [],
    forward(x, training) {
      const offsets = unstack(x).map((): Offset => (training ? [offset(), offset()] : [0, 0]));
      const back = offsets.map(([down, right]): Offset => [-down, -right]);
      const backward = (dout: Tensor) => Promise.resolve({ dx: shifted(dout, back), dparameters: [] });
      return Promise.resolve({ out: shifted(x, offsets), backward });
    },
  };
}

type Offset = readonly [down: number, right: number];

/** @param images [N, 1, H, W] */
function shifted(images: Tensor, offsets: readonly Offset[]): Tensor {
  const moved = unstack(images).map(({ shape, data }, n) => {
    const [, H, W] = shape;
    const [down, right] = offsets[n];
    const out = filled(shape, 0);
    for (let y = Math.max(0, down); y < Math.min(H, H + down); y++) {
      const from = (y - down) * W + Math.max(0, -right);
      out.data.set(data.subarray(from, from + W - Math.abs(right)), y * W + Math.max(0, right));
    }
    return out;
  });
  return stack(moved);
}

/** A network: layers in sequence. */
export function sequence(...layers: readonly Layer[]): Layer {
  return {
    parameters: layers.flatMap(({ parameters }) => parameters),
    async forward(x, training) {
      const passes: Pass[] = [];
      let out = x;
      for (const layer of layers) {
        const next = await layer.forward(out, training);
        passes.push(next);
        out = next.out;
      }
      return {
        out,
        async backward(dout) {
          let dx = dout;
          const dparameters: Tensor[] = [];
          for (const { backward } of passes.reverse()) {
            const gradients = await backward(dx);
            dx = gradients.dx;
            dparameters.unshift(...gradients.dparameters);
          }
          return { dx, dparameters };
        },
      };
    },
  };
}

/** Uniform with variance 2 / I, I being the inputs of each output. Source: He et al. (2015), https://arxiv.org/abs/1502.01852. */
export function initialWeight(shape: readonly number[], random: () => number): Tensor {
  const I = sizeOf(shape.slice(1));
  const bound = Math.sqrt(6 / I);
  const weight = filled(shape, 0);
  return new Tensor(
    shape,
    weight.data.map(() => bound * (2 * random() - 1)),
  );
}

/** A layer of the service. Its gradients have the names of its tensors, prefixed with d: weight, dweight. */
async function pass(
  client: Client,
  layer: string,
  x: Tensor,
  training: boolean,
  parameters: Tensors,
  others: Readonly<Record<string, Tensor | Option>> = {},
) {
  const answer = await client.forward(layer, { x, ...parameters, ...others }, training);
  return {
    answer,
    out: answer.tensor('out'),
    async backward(dout: Tensor): Promise<Gradients> {
      const gradients = await client.backward(layer, answer.session, dout);
      const dparameters = Object.keys(parameters).map((name) => gradients.tensor(`d${name}`));
      return { dx: gradients.tensor('dx'), dparameters };
    },
  };
}
