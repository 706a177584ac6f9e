/** Finds and parses the implementations. One program for all of them, so that TypeScript's library is read once. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import ts from 'typescript';
import type { Original } from './definition.js';

/** Relative to the repository's root, where npm and vitest start: a bundle of this file is elsewhere. */
export const IMPLEMENTATIONS = 'test/check/mutants/implementations';

export interface Wanted {
  /** All layers if empty. */
  readonly layers: readonly string[];
  readonly style?: string | undefined;
  readonly folder?: string | undefined;
}

export function originals({ layers, style, folder = IMPLEMENTATIONS }: Wanted): Original[] {
  if (!existsSync(folder)) return [];
  const found = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return found
    .map(({ name }) => name)
    .filter((layer) => layers.length === 0 || layers.includes(layer))
    .sort()
    .flatMap((layer) =>
      readdirSync(join(folder, layer))
        .filter((name) => name.endsWith('.ts') && (style === undefined || name === `${style}.ts`))
        .sort()
        .map((name) => {
          const file = join(folder, layer, name);
          return { layer, style: basename(name, '.ts'), file, source: readFileSync(file, 'utf8') };
        }),
    );
}

/** A parsed implementation and its types. */
export interface Parsed {
  readonly original: Original;
  readonly file: ts.SourceFile;
  readonly checker: ts.TypeChecker;
}

export function parse(all: readonly Original[]): Parsed[] {
  const program = ts.createProgram(
    all.map(({ file }) => file),
    {
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2023.d.ts'],
      types: [],
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      strict: true,
      noEmit: true,
      skipLibCheck: true,
    },
  );
  const checker = program.getTypeChecker();
  return all.map((original) => {
    const file = program.getSourceFile(original.file);
    if (!file) throw new Error(`cannot read ${original.file}`);
    return { original, file, checker };
  });
}
