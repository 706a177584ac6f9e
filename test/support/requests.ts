/** One valid request per layer, small enough to read; tests modify them. */
import { applyDefaults } from '../../src/validation/validate.js';
import { layers } from '../../src/layers/registry.js';

export type Body = Readonly<Record<string, unknown>>;

interface GoodRequest {
  readonly forward: Body;
  /** The backward request, without a session. */
  readonly backward: Body;
}

/** These have every tensor and option. A later layer uses the example of its definition. */
const written = {
  batchnorm: {
    forward: {
      x: [
        [1, 2],
        [3, 6],
        [5, 1],
      ],
      gamma: [1, 0.5],
      beta: [0, 1],
      running_mean: [0, 0],
      running_var: [1, 1],
      epsilon: 1e-5,
      momentum: 0.1,
      training: true,
    },
    backward: {
      dout: [
        [0.1, -0.2],
        [0.3, 0.5],
        [-0.4, 0.1],
      ],
    },
  },
  convolution: {
    forward: {
      x: [[[1, 2, 3, 4]], [[5, 6, 7, 8]]],
      weight: [[[1, 0, -1]], [[2, 1, 0]]],
      bias: [0.5, -0.5],
      stride: 1,
      padding: [[1, 1]],
      dilation: [1],
      groups: 1,
      transposed: false,
      output_padding: 0,
    },
    backward: {
      dout: [
        [
          [0.1, -0.2, 0.3, 0.4],
          [1, 0, 0, -1],
        ],
        [
          [0.5, 0.5, 0, 0],
          [0, 0, 2, 1],
        ],
      ],
    },
  },
  dropout: {
    forward: {
      x: [
        [1, 2],
        [3, 4],
      ],
      rate: 0.5,
      training: true,
      scaling: 'inverted',
      seed: 7,
    },
    backward: {
      dout: [
        [0.1, 0.2],
        [0.3, 0.4],
      ],
    },
  },
  linear: {
    forward: {
      x: [
        [1, 2, 3],
        [4, 5, 6],
      ],
      weight: [
        [0.1, 0.2, 0.3],
        [-0.1, 0, 0.1],
      ],
      bias: [0.5, -0.5],
    },
    backward: {
      dout: [
        [1, 0.5],
        [-0.5, 2],
      ],
    },
  },
  lstm: {
    forward: {
      x: [[[1], [0.5]]],
      weight_ih: [[0.1], [0.2], [0.3], [-0.4]],
      weight_hh: [[0.5], [0], [0.1], [-0.2]],
      bias_ih: [0, 1, 0, 0],
      bias_hh: [0, 0, 0.5, 0],
      h0: [[0.1]],
      c0: [[-0.1]],
      sequence_lengths: [2],
      direction: 'forward',
      time_major: false,
    },
    backward: { dout: [[[0.5], [1]]], dh_n: [[1]], dc_n: [[0.25]] },
  },
  pooling: {
    forward: {
      x: [
        [
          [
            [1, 3, 2, 0],
            [4, 2, 1, 5],
          ],
        ],
      ],
      mode: 'max',
      kernel_size: 2,
      stride: [2, 2],
      padding: 0,
      dilation: 1,
      ceil_mode: false,
      return_indices: true,
    },
    backward: { dout: [[[[0.1, -0.2]]]] },
  },
  rnn: {
    forward: {
      x: [
        [
          [1, 0],
          [0.5, -1],
        ],
      ],
      weight_ih: [
        [0.1, 0.2],
        [0.3, -0.4],
      ],
      weight_hh: [
        [0.5, 0],
        [0.1, -0.2],
      ],
      bias_ih: [0.1, 0],
      bias_hh: [0, 0.2],
      h0: [[0.5, -0.5]],
      sequence_lengths: [2],
      nonlinearity: 'tanh',
      direction: 'forward',
      time_major: false,
    },
    backward: { dh_n: [[1, -0.5]] },
  },
} as const satisfies Record<string, GoodRequest>;

export type LayerName = keyof typeof written;

const ofExample = ({ reference: { example }, schemas }: (typeof layers)[number]): GoodRequest => {
  const forward: Record<string, unknown> = { ...example.forward };
  applyDefaults(schemas.options, forward);
  return { forward, backward: { ...example.backward } };
};

export const good = {
  ...Object.fromEntries(layers.map((layer) => [layer.name, ofExample(layer)])),
  ...written,
};

export const layerNames = layers.map(({ name }) => name as LayerName);

export function schemasOf(name: LayerName) {
  const layer = layers.find((candidate) => candidate.name === name);
  if (!layer) throw new Error(`no layer ${name}`);
  return layer.schemas;
}

/** The valid forward request with some properties changed; undefined ones are left out. */
export function forwardWith(layer: LayerName, changes: Body): Body {
  return { ...good[layer].forward, ...changes };
}

/** The same for the valid backward request, without a session. */
export function backwardWith(layer: LayerName, changes: Body): Body {
  return { forward: good[layer].forward, ...good[layer].backward, ...changes };
}

/** A check of the valid requests, with claims of the right shape and wrong values. */
export function checkWith(layer: LayerName): Body {
  const { forward, backward } = good[layer];
  const out = 'dout' in backward ? { out: backward.dout } : {};
  return { forward, backward, claims: { ...out, dx: forward.x } };
}
