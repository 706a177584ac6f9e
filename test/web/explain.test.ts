/** Explains every cell of every example: the page's own sums must equal the service's values. */
import { describe, expect, it } from 'vitest';
import { layers } from '../../src/layers/registry.js';
import { agrees, sumOf, type Call } from '../../web/explain/explanation.js';
import { explainByRow, oneAt } from '../../web/explain/jacobian.js';
import { pages } from '../../web/layers/pages.js';
import { pageFrom, shapeOfAbsent, type Example, type LayerPage } from '../../web/layers/page.js';
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

/** More calls, with the options that the examples lack. */
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
      name: 'ties, padding, indices, a window that extends past the end',
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
      name: 'an average whose last window extends past the end',
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
        const explanation = page.explain?.({ tensor, index }, call);
        if (!explanation || !agrees(explanation, answered.data[i], 'float64'))
          unexplained.push(
            `${tensor}[${index.join()}] is ${answered.data[i]}, not ${explanation?.value ?? 'explained'}`,
          );
      });
    }
    expect(unexplained).toEqual([]);
    expect(Object.keys(answers)).toContain('dx');
  });

  it('highlights every cell of x on which out depends', async () => {
    const [example] = page.examples;
    const call = await callOf(page, example);
    const { out } = call.outputs;
    const { x } = call.inputs;
    if (!out || !x) throw new Error('no out');
    const index = out.shape.map((size) => Math.floor(size / 2));
    const feeds = page.explain?.({ tensor: 'out', index }, call)?.feeds ?? [];
    const lit = new Set(feeds.filter(({ tensor }) => tensor === 'x').map((feed) => feed.index.join()));
    for (const place of indicesOf(x.shape)) {
      const inputs = { ...example.inputs, x: withCell(example.inputs.x, place, at(x, place) + 0.7) };
      const changed = await post(
        forwardRequest({ ...example, options: example.options ?? {}, layer: page.name, claims: {}, inputs }),
      );
      const [before, after] = [at(out, index), nestedAt(changed.out, index) as number];
      // Dependencies through the previous state are highlighted there, not in x.
      const isDirect = !page.name.endsWith('rnn') && page.name !== 'lstm';
      if (isDirect && Math.abs(after - before) > 1e-9) expect(lit, `x[${place.join()}]`).toContain(place.join());
    }
    expect(lit.size).toBeGreaterThan(0);
  });
});

describe('a page that only the definition is known for', () => {
  it.each(layers.map(({ name }) => name))('of %s shows an example that works, forward and backward', async (name) => {
    const entry = (await service().client.get(`/layers/${name}`).expect(200)).body as LayerEntry;
    const page = pageFrom(entry);
    const [{ inputs, options = {}, upstream }] = page.examples;
    expect({ ...inputs, ...options }).toEqual(entry.forward.example);
    expect(page.purpose).toBe(entry.summary);
    const { outputs, gradients } = await callOf(page, page.examples[0]);
    expect(Object.keys(outputs)).toContain('out');
    expect(Object.keys(gradients)).toContain('dx');
    expect({ forward: { ...inputs, ...options }, ...upstream }).toEqual(entry.backward.example);
  });

  it.each([
    [
      'linear',
      'bias',
      {
        x: [[1, 2]],
        weight: [
          [3, 4],
          [5, 6],
          [7, 8],
        ],
      },
      [3],
    ],
    ['batchnorm', 'gamma', { x: [[[1], [2]]] }, [2]],
    ['convolution', 'bias', { x: [[[[1]]]], weight: [[[[1]]], [[[2]]]] }, [2]],
    [
      'rnn',
      'h0',
      {
        x: [[[1], [2], [3]]],
        weight_hh: [
          [1, 0],
          [0, 1],
        ],
      },
      [1, 2],
    ],
    ['rnn', 'bias_ih', { x: [[[1]]] }, [1]],
  ] as const)('adds to %s a %s of the shape that the other tensors ask for', async (name, tensor, inputs, shape) => {
    const entry = (await service().client.get(`/layers/${name}`).expect(200)).body as LayerEntry;
    expect(shapeOfAbsent(tensor, entry, inputs as unknown as Record<string, Nested>)).toEqual(shape);
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
      const shares = page.explain?.({ tensor: 'dx', index }, call)?.shares ?? [];
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
      const feeds = page.explain?.({ tensor: 'dx', index }, call)?.feeds ?? [];
      // The cells of one step share one weight.
      const steps = new Map(
        feeds.filter(({ tensor }) => tensor === 'dout').map(({ index: [, t], weight }) => [t, weight ?? 0]),
      );
      expect(sumOf([...steps.values()])).toBeCloseTo(dx.data[i], 9);
    });
  });
});

describe('a page without explanations', () => {
  /** The layer without its page's explanations. */
  async function rowOf(page: LayerPage, example: Example, index: readonly number[]) {
    const entry = (await service().client.get(`/layers/${page.name}`).expect(200)).body as LayerEntry;
    const call = await callOf(page, example);
    const cell = { tensor: 'out', index };
    const upstream = oneAt(cell, entry, call) ?? {};
    const state = { layer: page.name, inputs: example.inputs, options: example.options ?? {}, upstream, claims: {} };
    return { call, cell, row: tensors(await post(backwardRequest(state))) };
  }

  const pageOf = (name: string) => pages.find((page) => page.name === name) ?? pages[0];

  it('shows the cells that a cell depends on, with its derivatives', async () => {
    // out[0, 1] = 1 · 5 + 2 · 0 + 10: its derivatives are the row of the weight, the row of x, and 1.
    const example = {
      name: 'by hand',
      inputs: {
        x: [[1, 2]],
        weight: [
          [3, 4],
          [5, 0],
        ],
        bias: [0, 10],
      },
      upstream: { dout: [[1, 1]] },
    };
    const { call, cell, row } = await rowOf(pageOf('linear'), example, [0, 1]);
    const { value, feeds, filled } = explainByRow(cell, 15, row);
    expect(call.outputs.out?.data[1]).toBe(15);
    expect(value).toBe(15);
    expect(feeds).toEqual([
      { tensor: 'x', index: [0, 0], weight: 5 },
      { tensor: 'weight', index: [1, 1], weight: 2 },
      { tensor: 'weight', index: [1, 0], weight: 1 },
      { tensor: 'bias', index: [1], weight: 1 },
    ]);
    expect(filled).toHaveLength(4);
  });

  it.each(['linear', 'batchnorm', 'pooling', 'rnn', 'lstm'])(
    'has rows of the Jacobian of %s, whose sum, weighted by dout, is dx',
    async (name) => {
      const page = pageOf(name);
      const [example] = page.examples;
      const { outputs, upstream, gradients } = await callOf(page, example);
      const sums = gradients.dx?.data.map(() => 0) ?? [];
      for (const index of indicesOf(outputs.out?.shape ?? [])) {
        const { row } = await rowOf(page, example, index);
        const dout = upstream.dout ? at(upstream.dout, index) : 0;
        row.dx?.data.forEach((value, i) => (sums[i] += dout * value));
      }
      expect(sums.length).toBeGreaterThan(1);
      sums.forEach((sum, i) => {
        expect(sum).toBeCloseTo(gradients.dx?.data[i] ?? NaN, 9);
      });
    },
  );

  it('explains no cell that has no upstream gradient', async () => {
    const entry = (await service().client.get('/layers/batchnorm').expect(200)).body as LayerEntry;
    const call = await callOf(pageOf('batchnorm'), pageOf('batchnorm').examples[0]);
    expect(oneAt({ tensor: 'mean', index: [0] }, entry, call)).toBeUndefined();
  });
});
