/** Every cell of every example, explained: the page's own sums against the service's values. */
import { describe, expect, it } from 'vitest';
import { layers } from '../../src/layers/registry.js';
import { agrees, sumOf, type Call } from '../../web/explain/explanation.js';
import { pages } from '../../web/layers/pages.js';
import type { Example, LayerPage } from '../../web/layers/page.js';
import { settled, type LayerEntry } from '../../web/state/catalogue.js';
import { backwardRequest, forwardRequest, type ServiceRequest } from '../../web/state/request.js';
import { at, indicesOf, nestedAt, tensorOf, withCell, type Nested, type Tensor } from '../../web/tensors/tensor.js';
import { serveAll } from '../support/service.js';

const service = serveAll();

type Answer = Record<string, Nested>;

async function post({ path, body }: ServiceRequest): Promise<Answer> {
  return (await service().client.post(path).send(body).expect(200)).body as Answer;
}

const tensors = (values: Readonly<Record<string, Nested>>): Record<string, Tensor | undefined> =>
  Object.fromEntries(
    Object.entries(values)
      .filter(([, value]) => Array.isArray(value))
      .map(([name, value]) => [name, tensorOf(value)]),
  );

async function callOf(page: LayerPage, { inputs, options = {}, upstream }: Example): Promise<Call> {
  const entry = (await service().client.get(`/layers/${page.name}`).expect(200)).body as LayerEntry;
  const state = { layer: page.name, inputs, options, upstream, claims: {} };
  return {
    inputs: tensors(inputs),
    options: settled(entry, options),
    outputs: tensors(await post(forwardRequest(state))),
    upstream: tensors(upstream),
    gradients: tensors(await post(backwardRequest(state))),
  };
}

/** Examples that people see, and the options that they have not. */
const more: Readonly<Record<string, readonly Example[]>> = {
  batchnorm: [
    {
      name: 'pictures with running statistics',
      inputs: {
        x: [
          [
            [1, 2, 4],
            [0, -1, 3],
          ],
          [
            [2, 2, 8],
            [5, 1, 1],
          ],
        ],
        running_mean: [0.5, 1],
        running_var: [1, 2],
      },
      options: { momentum: 0.3 },
      upstream: {
        dout: [
          [
            [1, -2, 0.5],
            [0.1, 0.7, -1],
          ],
          [
            [2, 0.3, 0.2],
            [-0.4, 1, 2],
          ],
        ],
      },
    },
  ],
  convolution: [
    {
      name: 'groups, uneven padding, stride and dilation',
      inputs: {
        x: [
          [
            [1, 2, 3, 4, 5, 6],
            [2, 0, -1, 3, 1, 1],
          ],
        ],
        weight: [[[1, -1]], [[0.5, 2]], [[1, 1]], [[-2, 1]]],
        bias: [1, 2, 3, 4],
      },
      options: { groups: 2, padding: [[1, 2]], stride: 2, dilation: 2 },
      upstream: {
        dout: [
          [
            [1, 2, 3, 4],
            [0, 1, 0, 1],
            [2, -1, 0, 3],
            [1, 1, 2, 2],
          ],
        ],
      },
    },
    {
      name: 'transposed, in groups, with output padding',
      inputs: {
        x: [
          [
            [1, 2, 3],
            [-1, 0, 4],
          ],
        ],
        weight: [[[1, 2, 3]], [[-1, 0.5, 2]]],
        bias: [0.5, -1],
      },
      options: { transposed: true, groups: 2, stride: 2, padding: 1, output_padding: 1 },
      upstream: {
        dout: [
          [
            [1, 2, 3, 4, 5, 6],
            [0, 1, -1, 2, 0, 1],
          ],
        ],
      },
    },
  ],
  dropout: [
    {
      name: 'rate 1',
      inputs: { x: [1, 2, 3] },
      options: { rate: 1, seed: 3 },
      upstream: { dout: [1, 2, 3] },
    },
    {
      name: 'test_time in training',
      inputs: { x: [1, 2, 3, 4, 5] },
      options: { rate: 0.4, seed: 3, scaling: 'test_time' },
      upstream: { dout: [1, 2, 3, 4, 5] },
    },
  ],
  linear: [],
  lstm: [
    {
      name: 'first and last states, reverse',
      inputs: {
        x: [[[1], [0.5], [-1]]],
        weight_ih: [[0.1], [0.2], [0.3], [-0.4]],
        weight_hh: [[0.5], [0.2], [0.1], [-0.2]],
        bias_hh: [0.1, 1, 0, 0.3],
        h0: [[0.5]],
        c0: [[-0.7]],
      },
      options: { direction: 'reverse' },
      upstream: { dout: [[[0.3], [-1], [2]]], dh_n: [[0.4]], dc_n: [[1.5]] },
    },
  ],
  pooling: [
    {
      name: 'ties, padding, indices, a window that hangs over',
      inputs: {
        x: [
          [
            [
              [1, 1, 0, 2],
              [1, 3, 3, 2],
              [0, -1, 3, 5],
            ],
          ],
        ],
      },
      options: { mode: 'max', kernel_size: [2, 2], stride: [2, 1], padding: 1, ceil_mode: true, return_indices: true },
      upstream: {
        dout: [
          [
            [
              [1, 2, 3, 4, 5],
              [6, 7, 8, 9, 10],
            ],
          ],
        ],
      },
    },
    {
      name: 'an average that hangs over',
      inputs: { x: [[[1, 2, 3, 4, 5, 6, 7, 8]]] },
      options: { mode: 'average', kernel_size: 3, stride: 2, padding: 1, ceil_mode: true },
      upstream: { dout: [[[1, 2, 3, 4, 5]]] },
    },
  ],
  rnn: [
    {
      name: 'relu, time first, first state',
      inputs: {
        x: [[[1, 0.5]], [[-1, 2]], [[0.3, 0.3]]],
        weight_ih: [
          [0.5, -0.3],
          [0.8, 0.2],
        ],
        weight_hh: [
          [0.3, -0.6],
          [0.4, 0.1],
        ],
        bias_ih: [0.1, 0.2],
        bias_hh: [0.3, -0.1],
        h0: [[0.5, 0.25]],
      },
      options: { nonlinearity: 'relu', time_major: true },
      upstream: { dout: [[[1, -1]], [[0.5, 2]], [[0.3, 0.7]]], dh_n: [[1, 1]] },
    },
  ],
};

describe.each(pages)('$name', (page) => {
  it.each([...page.examples, ...more[page.name]])('explains every cell of "$name"', async (example) => {
    const call = await callOf(page, example);
    const answers = { ...call.outputs, ...call.gradients };
    const unexplained: string[] = [];
    for (const [tensor, answered] of Object.entries(answers)) {
      if (!answered) throw new Error(`${tensor} is no tensor`);
      indicesOf(answered.shape).forEach((index, i) => {
        const explanation = page.explain({ tensor, index }, call);
        if (!explanation || !agrees(explanation, answered.data[i], 'float64'))
          unexplained.push(
            `${tensor}[${index.join()}] is ${answered.data[i]}, not ${explanation?.value ?? 'explained'}`,
          );
      });
    }
    expect(unexplained).toEqual([]);
    expect(Object.keys(answers)).toContain('dx');
  });

  it('lights every cell of x that out changes with', async () => {
    const [example] = page.examples;
    const call = await callOf(page, example);
    const { out } = call.outputs;
    const { x } = call.inputs;
    if (!out || !x) throw new Error('no out');
    const index = out.shape.map((size) => Math.floor(size / 2));
    const feeds = page.explain({ tensor: 'out', index }, call)?.feeds ?? [];
    const lit = new Set(feeds.filter(({ tensor }) => tensor === 'x').map((feed) => feed.index.join()));
    for (const place of indicesOf(x.shape)) {
      const inputs = { ...example.inputs, x: withCell(example.inputs.x, place, at(x, place) + 0.7) };
      const changed = await post(
        forwardRequest({ ...example, options: example.options ?? {}, layer: page.name, claims: {}, inputs }),
      );
      const [before, after] = [at(out, index), nestedAt(changed.out, index) as number];
      // What comes by way of the state before is lit there, and not in x.
      const isDirect = !page.name.endsWith('rnn') && page.name !== 'lstm';
      if (isDirect && Math.abs(after - before) > 1e-9) expect(lit, `x[${place.join()}]`).toContain(place.join());
    }
    expect(lit.size).toBeGreaterThan(0);
  });
});

describe('pages', () => {
  it('there are of every layer', () => {
    expect(pages.map(({ name }) => name).sort()).toEqual(layers.map(({ name }) => name).sort());
  });
});

describe('shares', () => {
  it.each(['batchnorm', 'rnn', 'lstm'])('of a dx of %s add up to it', async (name) => {
    const page = pages.find((each) => each.name === name);
    if (!page) throw new Error(name);
    const call = await callOf(page, page.examples[0]);
    const { dx } = call.gradients;
    if (!dx) throw new Error('no dx');
    indicesOf(dx.shape).forEach((index, i) => {
      const shares = page.explain({ tensor: 'dx', index }, call)?.shares ?? [];
      expect(shares.length).toBe(name === 'rnn' ? 2 : 3);
      expect(sumOf(shares.map(({ value }) => value))).toBeCloseTo(dx.data[i], 9);
    });
  });

  it('of the cells of dout add up to a dx of lstm', async () => {
    const page = pages.find((each) => each.name === 'lstm');
    if (!page) throw new Error('lstm');
    const call = await callOf(page, page.examples[0]);
    const { dx } = call.gradients;
    if (!dx) throw new Error('no dx');
    indicesOf(dx.shape).forEach((index, i) => {
      const feeds = page.explain({ tensor: 'dx', index }, call)?.feeds ?? [];
      // The cells of one step share one weight.
      const steps = new Map(
        feeds.filter(({ tensor }) => tensor === 'dout').map(({ index: [, t], weight }) => [t, weight ?? 0]),
      );
      expect(sumOf([...steps.values()])).toBeCloseTo(dx.data[i], 9);
    });
  });
});
