/** One good request of each layer, small enough to read; tests change them. */

import { layers } from '../../src/layers/registry.js';

export type Body = Readonly<Record<string, unknown>>;

interface GoodRequest {
  readonly forward: Body;
  /** Backward's, without its session. */
  readonly backward: Body;
}

export const good = {
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

export type LayerName = keyof typeof good;

export const layerNames = Object.keys(good) as LayerName[];

export function schemasOf(name: LayerName) {
  const layer = layers.find((candidate) => candidate.name === name);
  if (!layer) throw new Error(`no layer ${name}`);
  return layer.schemas;
}

/** The good forward request with some of its properties changed; one that becomes undefined is left out. */
export function forwardWith(layer: LayerName, changes: Body): Body {
  return { ...good[layer].forward, ...changes };
}

/** The good backward request, without a session, likewise. */
export function backwardWith(layer: LayerName, changes: Body): Body {
  return { forward: good[layer].forward, ...good[layer].backward, ...changes };
}

/** A check of the good requests, whose claims have the right shapes and are wrong. */
export function checkWith(layer: LayerName): Body {
  const { forward, backward } = good[layer];
  const out = 'dout' in backward ? { out: backward.dout } : {};
  return { forward, backward, claims: { ...out, dx: forward.x } };
}
