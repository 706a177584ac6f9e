/**
 * What a layer's definition says of it, as Markdown. In a page of `docs/layers/` it stands between
 * `<!-- generated: NAME -->` and `<!-- end -->`; all else there is written by hand.
 */
import type { TObject } from '@sinclair/typebox';
import type { Checks } from '../../src/check/definition.js';
import { anyLayer } from '../../src/check/variants.js';
import { describe, isOptional } from '../../src/compute/validate.js';
import type { Layer } from '../../src/layers/definition.js';

const REGION = /<!-- generated: (\w+) -->.*?<!-- end -->/gs;

const regions: Readonly<Record<string, (checks: Checks) => string>> = {
  summary: ({ layer }) => prose(layer.reference.summary),
  dimensions: ({ layer }) =>
    table(
      ['letter', 'meaning'],
      Object.entries(layer.reference.dimensions).map(([letter, meaning]) => [code(letter), prose(meaning)]),
    ),
  shapes: ({ layer }) => shapes(layer),
  options: ({ layer }) => options(layer.schemas.options),
  conventions: ({ layer }) => list(layer.reference.conventions.map(prose)),
  mistakes: ({ mistakes }) => list(mistakes.map(mistake)),
  mistakesOfAnyLayer: () => list(anyLayer.map((text) => mistake({ ...text, tensors: [] }))),
  forwardRequest: ({ layer }) => request(layer, 'forward', { ...layer.reference.example.forward, session: false }),
  backwardRequest: ({ layer }) =>
    request(layer, 'backward', { forward: layer.reference.example.forward, ...layer.reference.example.backward }),
  sources: ({ layer }) => list(layer.reference.sources.map(prose)),
};

/** @throws where the page wants what no definition has, or leaves out what every page shows */
export function withRegions(page: string, checks: Checks): string {
  const missing = new Set(Object.keys(regions));
  const filled = page.replace(REGION, (_, name: string) => {
    if (!(name in regions)) throw new Error(`no ${name}; expected one of ${Object.keys(regions).join(', ')}`);
    missing.delete(name);
    return `<!-- generated: ${name} -->\n\n${regions[name](checks)}\n\n<!-- end -->`;
  });
  if (missing.size > 0) throw new Error(`${checks.layer.name} does not show ${[...missing].join(', ')}`);
  return filled;
}

function shapes({ schemas }: Layer): string {
  const rows = [
    ['forward takes', schemas.inputs],
    ['forward answers', schemas.outputs],
    ['backward takes', schemas.upstream],
    ['backward answers', schemas.gradients],
  ] as const;
  return table(
    ['', 'tensor', 'shape', ''],
    rows.flatMap(([title, schema]) =>
      Object.entries(schema.properties)
        .filter(([, property]) => 'x-tensor' in property)
        .map(([name, property], i) => [
          i === 0 ? title : '',
          code(name),
          shapeOf(property['x-shape'] as string),
          `${prose(property.description ?? '')}${isOptional(property) && title.endsWith('takes') ? ' (optional)' : ''}`,
        ]),
    ),
  );
}

/** As the definition has it: letters in brackets are code, "as x" and the words between are not. */
function shapeOf(text: string): string {
  return text.replace(/\[[^\]]*\]/g, code);
}

function options({ properties }: TObject): string {
  const rows = Object.entries(properties).map(([name, schema]) => [
    code(name),
    prose(describe(schema)),
    'default' in schema ? code(JSON.stringify(schema.default)) : schema['x-drawn'] ? 'drawn' : '–',
    prose(schema.description ?? ''),
  ]);
  return rows.length === 0 ? 'None.' : table(['option', 'values', 'default', ''], rows);
}

function mistake({ id, tensors, explanation, fix, hidden }: Checks['mistakes'][number]): string {
  const where = tensors.length > 0 ? ` (${tensors.map(code).join(', ')})` : '';
  const seen = hidden === undefined ? '' : ` _Hidden when_ ${prose(hidden)}.`;
  return `**${code(id)}**${where}: ${sentence(explanation)} _Instead:_ ${sentence(fix)}${seen}`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? prose(text) : `${prose(text)}.`;
}

/** The example of the definition as a command, a line for each field. */
function request({ name }: Layer, direction: string, body: object): string {
  const fields = Object.entries(body).map(([field, value]) => `  "${field}": ${spaced(value)}`);
  return [
    '```sh',
    `curl -s http://127.0.0.1:8080/${name}/${direction} -H 'content-type: application/json' -d '{`,
    fields.join(',\n'),
    "}'",
    '```',
  ].join('\n');
}

/** JSON with a space where a person would put one. */
function spaced(value: unknown): string {
  return JSON.stringify(value, undefined, 1)
    .replace(/\n\s*(?=[\]}])|(?<=[[{])\n\s*/g, '')
    .replace(/\n\s*/g, ' ');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function list(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n');
}

function code(text: string): string {
  return `\`${text}\``;
}

/** Plain text, so that nothing of it is taken for Markdown. */
function prose(text: string): string {
  return text.replace(/[\\*<`[\]]|(?<!\w)_|_(?!\w)/g, '\\$&');
}
