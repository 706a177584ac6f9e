/** The pages of `docs/layers/` match the definitions of their layers and the answers of the service. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { allChecks } from '../../src/check/registry.js';
import { layers } from '../../src/layers/registry.js';
import { answerTo, examplesIn, withAnswers } from '../../scripts/reference/examples.js';
import { pathOf, regenerated } from '../../scripts/reference/pages.js';
import { readme, withLayers } from '../../scripts/reference/readme.js';
import { withRegions } from '../../scripts/reference/regions.js';
import { operatingPage, withVariables } from '../../scripts/reference/variables.js';
import { serveAll } from '../support/service.js';

const root = new URL('../../', import.meta.url);
const service = serveAll();

it('there is a page for every layer, and no other page', () => {
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

  it('has a forward, a backward and a check request, and an answer for every command', () => {
    const commands = [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, command]) => command);
    expect(examples.map(({ script }) => script)).toEqual(commands);
    for (const route of ['forward', 'backward', 'check'])
      expect(
        commands.filter((command) => command.includes(`/${name}/${route} `)),
        `requests of ${route}`,
      ).not.toEqual([]);
  });

  it('is the output of `npm run reference`', async () => {
    expect(await regenerated(checks, root, service().url)).toBe(text);
  });

  it('compares with other frameworks', () => {
    const [, section = ''] = /## In other frameworks\n(.*?)\n## /s.exec(text) ?? [];
    for (const framework of ['PyTorch', 'Keras', 'ONNX'])
      expect(section, 'the section "In other frameworks"').toContain(framework);
  });
});

it('the table of layers is what their definitions say', async () => {
  expect(await withLayers(root)).toBe(readFileSync(readme(root), 'utf8'));
});

it('the table of variables matches the configuration', async () => {
  expect(await withVariables(root)).toBe(readFileSync(operatingPage(root), 'utf8'));
});

describe('a page', () => {
  const [checks] = allChecks;
  const text = readFileSync(pathOf(checks, root), 'utf8');

  it('may name only regions that exist', () => {
    expect(() => withRegions('<!-- generated: price -->\n<!-- end -->', checks)).toThrow(
      /^no price; expected one of summary, /,
    );
  });

  it('must have all regions', () => {
    expect(() => withRegions(text.replace('generated: options', 'options'), checks)).toThrow(
      `${checks.layer.name} does not show options`,
    );
  });

  it('does not accept a problem as an answer, unless it already shows one', async () => {
    const refused = '```sh\ncurl -s http://127.0.0.1:8080/linear/forward -H content-type:application/json -d {}\n```\n';
    const printing = (answer: string) => withAnswers(`${refused}\n\`\`\`json\n${answer}\n\`\`\`\n`, service().url);
    await expect(printing('{ "out": [[1]] }')).rejects.toThrow('the answer is a problem that the page does not print');
    await expect(printing('{ "type": "/problems/overloaded" }')).rejects.toThrow('/problems/invalid-request');
    expect(await printing('{ "type": "/problems/invalid-request" }')).toContain('weight');
  });

  it('loses manual changes inside a region', () => {
    expect(withRegions(text.replace('<!-- generated: options -->', '$& Better options.'), checks)).toBe(
      withRegions(text, checks),
    );
  });
});
