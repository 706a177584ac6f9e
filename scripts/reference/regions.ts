/**
 * Renders the parts of a layer's definition as Markdown. In a page of `docs/layers/`, they are between
 * `<!-- generated: NAME -->` and `<!-- end -->`; everything else in the page is written by hand.
 */
import type { TObject } from '@sinclair/typebox';
import type { Checks } from '../../src/check/definition.js';
import { genericMistakes } from '../../src/check/generic/registry.js';
import { describe } from '../../src/validation/describe.js';
import { isOptional } from '../../src/validation/validate.js';
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
  mistakesOfAnyLayer: () => list(genericMistakes.map((text) => mistake({ ...text, tensors: [] }))),
  forwardRequest: ({ layer }) => request(layer, 'forward', { ...layer.reference.example.forward, session: false }),
  backwardRequest: ({ layer }) =>
    request(layer, 'backward', { forward: layer.reference.example.forward, ...layer.reference.example.backward }),
  sources: ({ layer }) => list(layer.reference.sources.map(prose)),
};

/** `forward1` is the first formula of forward, and so on. */
function formulas({ layer }: Checks): Record<string, () => string> {
  const numbered = (direction: 'forward' | 'backward') =>
    Object.values(layer.reference.formulas[direction]).map(
      (tex, i) => [`${direction}${i + 1}`, () => `\`\`\`math\n${tex}\n\`\`\``] as const,
    );
  return Object.fromEntries([...numbered('forward'), ...numbered('backward')]);
}

/** @throws if the page names an unknown region, or lacks one that every page must have */
export function withRegions(page: string, checks: Checks): string {
  const all: typeof regions = { ...regions, ...formulas(checks) };
  const missing = new Set(Object.keys(all));
  const filled = page.replace(REGION, (_, name: string) => {
    if (!(name in all)) throw new Error(`no ${name}; expected one of ${Object.keys(all).join(', ')}`);
    missing.delete(name);
    return `<!-- generated: ${name} -->\n\n${all[name](checks)}\n\n<!-- end -->`;
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

/** Formats the shapes in brackets as code, and leaves words such as "as x" as they are. */
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

/** The definition's example as a command, with one line per field. */
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

/** Compact JSON with a space after each comma and colon. */
function spaced(value: unknown): string {
  return JSON.stringify(value, undefined, 1)
    .replace(/\n\s*(?=[\]}])|(?<=[[{])\n\s*/g, '')
    .replace(/\n\s*/g, ' ');
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function list(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n');
}

function code(text: string): string {
  return `\`${text}\``;
}

/** Escapes plain text, so that none of it is read as Markdown. */
function prose(text: string): string {
  return text.replace(/[\\*<`[\]]|(?<!\w)_|_(?!\w)/g, '\\$&');
}
