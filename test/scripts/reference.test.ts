/** The pages of `docs/layers/`: each says what its layer's definition says, and answers as the service does. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { allChecks } from '../../src/check/registry.js';
import { layers } from '../../src/layers/registry.js';
import { pages } from '../../web/layers/pages.js';
import { answerTo, examplesIn } from '../../scripts/reference/examples.js';
import { pathOf, regenerated } from '../../scripts/reference/pages.js';
import { withRegions } from '../../scripts/reference/regions.js';
import { serveAll } from '../support/service.js';

const root = new URL('../../', import.meta.url);
const service = serveAll();

it('there is a page for every layer, and none for what is no layer', () => {
  const names = readdirSync(new URL('docs/layers/', root));
  expect(names.sort()).toEqual(layers.map(({ name }) => `${name}.md`).sort());
});

describe.each(allChecks.map((checks) => [checks.layer.name, checks] as const))('the page of %s', (name, checks) => {
  const text = readFileSync(pathOf(checks, root), 'utf8');
  const examples = examplesIn(text);

  it.each(examples.map((example, i) => [i + 1, example] as const))(
    'prints the answer to its request %i',
    async (_, example) => {
      expect(JSON.parse(await answerTo(example, service().url))).toEqual(JSON.parse(example.answer));
    },
  );

  it('has a request forward, one backward and one for a check, and no command without its answer', () => {
    const commands = [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, command]) => command);
    expect(examples.map(({ script }) => script)).toEqual(commands);
    for (const route of ['forward', 'backward', 'check'])
      expect(commands.some((command) => command.includes(`/${name}/${route} `))).toBe(true);
  });

  it('is what `npm run reference` makes of it', async () => {
    expect(await regenerated(checks, root, service().url)).toBe(text);
  });

  it('has the formulas of the layer’s page', () => {
    const math = [...text.matchAll(/```math\n(.*?)\n```/gs)].map(([, tex]) => tex);
    const page = pages.find((candidate) => candidate.name === name);
    expect(math).toEqual(expect.arrayContaining([...(page?.forward ?? []), ...(page?.backward ?? [])]));
  });

  it('compares with other frameworks', () => {
    const [, section = ''] = /## In other frameworks\n(.*?)\n## /s.exec(text) ?? [];
    for (const framework of ['PyTorch', 'Keras', 'ONNX']) expect(section).toContain(framework);
  });
});

describe('a page', () => {
  const [checks] = allChecks;
  const text = readFileSync(pathOf(checks, root), 'utf8');

  it('may show only what a definition has', () => {
    expect(() => withRegions('<!-- generated: price -->\n<!-- end -->', checks)).toThrow(
      /^no price; expected one of summary, /,
    );
  });

  it('leaves out nothing', () => {
    expect(() => withRegions(text.replace('generated: options', 'options'), checks)).toThrow(
      `${checks.layer.name} does not show options`,
    );
  });

  it('is made anew where it was changed by hand', () => {
    expect(withRegions(text.replace('<!-- generated: options -->', '$& Better options.'), checks)).toBe(
      withRegions(text, checks),
    );
  });
});
