/**
 * The files of a new layer, by their paths from the repository's root. They compile, describe a layer that returns x,
 * and throw where code is still to be written, so that the tests name what is missing. The page needs no file:
 * it follows from the definition.
 *
 * @param name lower-case words joined by underscores
 */
export function templates(name: string): Record<string, string> {
  const Name = name.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return {
    [`schemas/${name}.ts`]: `import { Type } from '@sinclair/typebox';
import { FloatTensor } from './tensor.js';

export const ${Name}Inputs = Type.Object({
  x: FloatTensor('[*], any rank from 1', 'input'),
});

export const ${Name}Options = Type.Object({});

export const ${Name}Outputs = Type.Object({
  out: FloatTensor('as x', 'output'),
});

export const ${Name}Upstream = Type.Object({
  dout: FloatTensor('as out', 'gradient with respect to out'),
});

export const ${Name}Gradients = Type.Object({
  dx: FloatTensor('as x', 'gradient with respect to x'),
});
`,
    [`src/layers/${name}.ts`]: `/**
 * ${name}: what it does, in one sentence.
 *
 * Source: the paper or the function that it agrees with.
 */
import { ${Name}Gradients, ${Name}Inputs, ${Name}Options, ${Name}Outputs, ${Name}Upstream } from '../../schemas/${name}.js';
import { sizeOf } from '../tensor/tensor.js';
import { defineLayer, type Plan } from './definition.js';

export const ${name} = defineLayer({
  name: '${name}',
  reference: {
    summary: 'What it does, in one sentence.',
    dimensions: { '*': 'any axes' },
    formulas: {
      forward: { 'out = x': String.raw\`\\text{out} = x\` },
      backward: { 'dx = dout': String.raw\`\\text{dx} = \\text{dout}\` },
    },
    conventions: ['A convention on which frameworks differ, and the choice of this layer.'],
    sources: ['The paper or the function that it agrees with.'],
    example: { forward: { x: [1, 2] }, backward: { dout: [0.5, -1] } },
  },
  schemas: {
    inputs: ${Name}Inputs,
    options: ${Name}Options,
    outputs: ${Name}Outputs,
    upstream: ${Name}Upstream,
    gradients: ${Name}Gradients,
  },

  plan({ x }): Plan {
    const cost = { operations: sizeOf(x.shape), bytes: x.data.byteLength };
    return { outputs: { out: x.shape }, cost: { forward: cost, backward: cost } };
  },

  forward() {
    throw new Error('the forward pass of ${name} is not implemented');
  },

  backward() {
    throw new Error('the backward pass of ${name} is not implemented');
  },
});
`,
    [`src/formulas/layers/${name}.ts`]: `/** The formulas of ${name}. */
import type { Instance } from '../../layers/instance.js';
import { elementwise, programOf, tensorsOf } from '../program.js';

export function ${name}(instance: Instance) {
  const { x } = instance.inputs;
  const { axes, means, over, at } = elementwise(x.shape);
  const { dout } = tensorsOf(instance);
  return programOf({
    axes,
    means,
    given: { [\`x \${over}\`]: x.data, [\`dout \${over}\`]: dout?.data },
    forward: [\`out[\${at}] = x\`],
    backward: dout ? [\`dx[\${at}] = dout\`] : [],
  });
}
`,
    [`src/check/mistakes/${name}.ts`]: `/** Known mistakes in ${name}, in addition to slips in its formulas. */
import { ${name} as layer } from '../../layers/${name}.js';
import { ${name} as bounds } from '../bounds/${name}.js';
import { defineChecks, type Mistake } from '../define.js';

const mistakes: readonly Mistake[] = [];

export const ${name} = defineChecks({
  layer,
  bounds,
  mistakes,
  axes: () => ['index'],
  constants: () => ({}),
  readings: () => [],
  example: (numbers, needs) => ({ inputs: { x: numbers.tensor([4, 4]) }, options: { ...needs }, upstream: ['out'] }),
});
`,
    [`src/check/bounds/${name}.ts`]: `/** Rounding in ${name}: a bound for each answer, with its derivation. For sums of products it is \`ofSums\`. */
import type { Bounds } from './bounds.js';

export const ${name}: Bounds = () => {
  throw new Error('the bounds of rounding in ${name} are not written');
};
`,
    [`test/layers/samples/${name}.ts`]: `import fc, { type Arbitrary } from 'fast-check';
import type { Implementation } from '../../check/implementations/implementation.js';
import { seed, size, type Configuration } from '../../support/arbitraries.js';
import { randomNumbers } from '../../support/random.js';
import type { Sample } from './sample.js';

const configuration: Arbitrary<Configuration> = fc
  .record({ shape: fc.array(size(4), { minLength: 1, maxLength: 4 }), seed })
  .map(({ shape, seed }) => ({
    inputs: { x: randomNumbers(seed).tensor(shape) },
    options: {},
    upstream: ['out'],
    seed,
  }));

const implementation: Implementation = () => {
  throw new Error('the handwritten ${name}, correct or with one of its mistakes, is not implemented');
};

export const sample: Sample = { configuration, implementation, examples: [], refusals: [] };
`,
    [`test/reference/layers/${name}.py`]: `"""${name}: its cases, its forward in PyTorch, and the definition that both are checked against."""
from cases import Case, draw, random


def cases():
    raise NotImplementedError("at least 32 cases, as Case(\\"${name}\\", name, {\\"x\\": …}, options)")


def forward(t):
    raise NotImplementedError("the answers by name, from torch tensors")


def definition(t):
    raise NotImplementedError("the answers by name, from numpy arrays, which may be complex")
`,
    [`docs/layers/${name}.md`]: page(name),
  };
}

function page(name: string): string {
  const region = (region: string) => `<!-- generated: ${region} -->\n<!-- end -->\n`;
  return [
    `# ${name}\n`,
    region('summary'),
    region('dimensions'),
    '## Forward\n',
    region('forward1'),
    '## Backward\n',
    region('backward1'),
    '## Shapes\n',
    region('shapes'),
    '## Options\n',
    region('options'),
    '## Conventions\n',
    region('conventions'),
    '## Common mistakes\n',
    `[\`POST /${name}/check\`](/docs) recognises these mistakes in the results of an implementation:\n`,
    region('mistakes'),
    'It also recognises these, which can occur in any layer:\n',
    region('mistakesOfAnyLayer'),
    '## A request and its answer\n',
    region('forwardRequest'),
    '```json\n{}\n```\n',
    'Backward, with the forward request instead of a session:\n',
    region('backwardRequest'),
    '```json\n{}\n```\n',
    '## Sources\n',
    region('sources'),
  ].join('\n');
}
