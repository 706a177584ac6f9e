/** The table of environment variables in `docs/operating.md`, generated from the configuration schema. */
import { readFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';
import { ConfigSchema } from '../../src/config.js';

const REGION = /<!-- generated: variables -->.*?<!-- end -->/s;

/** Sizes of at least this are also given in MiB. */
const MEBIBYTE = 2 ** 20;

/** @param root the root of the repository */
export function operatingPage(root: URL): URL {
  return new URL('docs/operating.md', root);
}

/** @returns the expected text of the page */
export async function withVariables(root: URL): Promise<string> {
  const path = operatingPage(root);
  const page = await readFile(path, 'utf8');
  const rows = Object.entries(ConfigSchema.properties).map(
    ([name, schema]) =>
      `| \`${name}\` | ${defaultOf(name, schema)} | ${(schema.description ?? '').replace(/\.$/, '')} |`,
  );
  const table = ['| variable | default | |', '|---|---|---|', ...rows].join('\n');
  const written = page.replace(REGION, `<!-- generated: variables -->\n\n${table}\n\n<!-- end -->`);
  return format(written, { ...(await resolveConfig(path)), parser: 'markdown' });
}

function defaultOf(name: string, schema: { readonly default?: unknown; readonly 'x-default'?: string }): string {
  const { default: value, 'x-default': words } = schema;
  if (words !== undefined) return words;
  if (value === '') return '';
  const size = name.endsWith('_BYTES') && Number(value) >= MEBIBYTE ? ` (${Number(value) / MEBIBYTE} MiB)` : '';
  return `\`${String(value)}\`${size}`;
}
