import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { layers } from '../src/layers/registry.js';
import { referenceCases } from './support/reference.js';

const root = new URL('../', import.meta.url);

/** Every TypeScript file below a folder, as a path from the repository's root. */
function filesIn(folder: string): string[] {
  const names = readdirSync(new URL(`${folder}/`, root), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => /\.tsx?$/.test(name)).map((name) => posix.join(folder, name.replaceAll('\\', '/')));
}

function textOf(file: string): string {
  return readFileSync(new URL(file, root), 'utf8');
}

/** What a file imports, types too: files as paths from the root, packages by their names. */
function importsOf(file: string): string[] {
  const { importedFiles } = ts.preProcessFile(textOf(file), true, true);
  return importedFiles.map(({ fileName }) =>
    fileName.startsWith('.') ? sourceOf(posix.join(posix.dirname(file), fileName)) : fileName,
  );
}

function sourceOf(path: string): string {
  const source = path.replace(/\.js$/, '.ts');
  return existsSync(new URL(source, root)) ? source : path.replace(/\.js$/, '.tsx');
}

function nodesOf(file: string): ts.Node[] {
  const nodes: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    nodes.push(node);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, textOf(file), ts.ScriptTarget.Latest, true));
  return nodes;
}

const isWithin = (place: string, file: string) => file === place || file.startsWith(`${place}/`);

/**
 * The table of the design, in its order: imports run from a later line to an earlier one. A place may always import
 * from itself; a name that is no place of ours is a package. Where nothing is said of packages any may be used.
 */
interface Rule {
  readonly place: string;
  readonly mayImport: readonly string[];
  readonly packages?: readonly string[];
}
const RULES: readonly Rule[] = [
  { place: 'schemas', mayImport: [], packages: ['@sinclair/typebox'] },
  { place: 'src/refusal.ts', mayImport: [], packages: [] },
  { place: 'src/tensor', mayImport: [], packages: [] },
  { place: 'src/memory', mayImport: [], packages: ['node:worker_threads'] },
  { place: 'src/keys', mayImport: [], packages: ['node:crypto', 'node:fs'] },
  { place: 'src/kernels', mayImport: ['src/tensor'], packages: [] },
  { place: 'src/wasm', mayImport: [], packages: ['node:fs', 'node:module', 'node:v8'] },
  {
    place: 'src/layers',
    // The interface of the kernels, never an implementation.
    mayImport: ['schemas', 'src/refusal.ts', 'src/tensor', 'src/kernels/kernels.ts'],
    packages: ['@sinclair/typebox'],
  },
  {
    place: 'src/check',
    mayImport: ['schemas', 'src/refusal.ts', 'src/tensor', 'src/kernels/kernels.ts', 'src/layers'],
    packages: ['@sinclair/typebox'],
  },
  { place: 'src/codec', mayImport: ['src/refusal.ts', 'src/tensor', 'src/kernels', 'src/wasm'] },
  { place: 'src/sessions', mayImport: ['src/refusal.ts', 'src/tensor', 'src/memory'] },
  {
    place: 'src/compute',
    mayImport: [
      'schemas',
      'src/refusal.ts',
      'src/tensor',
      'src/kernels/kernels.ts',
      'src/layers',
      'src/check',
      'src/codec',
      'src/sessions',
    ],
  },
  {
    place: 'src/workers',
    mayImport: [
      'src/refusal.ts',
      'src/tensor',
      'src/kernels',
      'src/layers',
      'src/codec',
      'src/sessions',
      'src/compute',
      'src/wasm',
    ],
  },
  // Below the app, which takes its configuration as an argument, and so knows its type.
  { place: 'src/config.ts', mayImport: ['src/refusal.ts', 'src/codec', 'src/compute', 'src/sessions'] },
  {
    place: 'src/http',
    mayImport: [
      'schemas',
      'src/refusal.ts',
      'src/tensor',
      'src/memory',
      'src/keys',
      'src/kernels',
      'src/wasm',
      'src/layers',
      'src/check',
      'src/codec',
      'src/sessions',
      'src/compute',
      'src/workers',
      'src/wasm',
      'src/config.ts',
    ],
  },
  { place: 'src/processes', mayImport: ['src/sessions'] },
  { place: 'src/server.ts', mayImport: ['src/config.ts', 'src/http', 'src/sessions', 'src/processes'] },
  { place: 'bench', mayImport: ['src', 'schemas'] },
  { place: 'scripts', mayImport: ['src'] },
  // In a browser: of the service's own code, only where windows lie, which imports nothing.
  {
    place: 'web',
    mayImport: ['src/tensor/windows.ts'],
    packages: [
      '@preact/signals',
      'preact',
      'preact/hooks',
      'preact/jsx-runtime',
      'temml',
      'uplot',
      'uplot/dist/uPlot.min.css',
    ],
  },
  // Clients speak HTTP alone.
  { place: 'examples', mayImport: [] },
];
const files = ['schemas', 'src', 'web', 'bench', 'examples', 'scripts'].flatMap(filesIn);

const isOurs = (imported: string) => /^(schemas|src|web|test|bench|examples|scripts)\//.test(imported);

describe('imports', () => {
  it('are read, of values and of types', () => {
    expect(importsOf('src/layers/linear.ts')).toEqual(
      expect.arrayContaining(['schemas/linear.ts', 'src/refusal.ts', 'src/tensor/tensor.ts']),
    );
    expect(importsOf('src/kernels/kernels.ts')).toEqual(['src/tensor/tensor.ts', 'src/tensor/windows.ts']);
  });

  it('are ruled by exactly one line for every file', () => {
    const unruled = files.filter((file) => RULES.filter(({ place }) => isWithin(place, file)).length !== 1);
    expect(unruled).toEqual([]);
  });

  it.each(RULES.map((rule) => [rule.place, rule] as const))('of %s run one way', (place, { mayImport, packages }) => {
    const places = [place, ...mayImport];
    const forbidden = files
      .filter((file) => isWithin(place, file))
      .flatMap((file) =>
        importsOf(file)
          .filter((imported) =>
            isOurs(imported)
              ? !places.some((allowed) => isWithin(allowed, imported))
              : packages !== undefined && !packages.includes(imported),
          )
          .map((imported) => `${file} imports ${imported}`),
      );
    expect(forbidden).toEqual([]);
  });
});

describe('OpenTelemetry', () => {
  it('is imported by one file, which is loaded only where traces are wanted', () => {
    const using = files.filter((file) =>
      importsOf(file).some((name) => /^(@opentelemetry\/|@fastify\/otel)/.test(name)),
    );
    expect(using).toEqual(['src/http/traces.ts']);
    const statically = files.filter((file) => /from '[^']*\/traces\.js'/.test(textOf(file)));
    expect(statically).toEqual([]);
  });
});

describe('the pure modules', () => {
  /** A clock, an environment, chance, the network, or the world in general. */
  const IMPURE = [
    'process',
    'Date',
    'performance',
    'crypto',
    'fetch',
    'setTimeout',
    'console',
    'globalThis',
    'require',
  ];

  it.each(['src/tensor', 'src/kernels', 'src/layers', 'src/check'])(
    'in %s know no clock, no environment and no chance',
    (folder) => {
      const found = filesIn(folder).flatMap((file) =>
        nodesOf(file)
          .filter(
            (node) =>
              (ts.isIdentifier(node) && IMPURE.includes(node.text)) ||
              (ts.isPropertyAccessExpression(node) && node.name.text === 'random') ||
              (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword),
          )
          .map(() => file),
      );
      expect(found).toEqual([]);
    },
  );
});

/** The texts of a file: what stands in quotes, but for the paths of imports. */
function literalsOf(file: string): string[] {
  return nodesOf(file)
    .filter((node) => ts.isStringLiteral(node) || ts.isTemplateLiteralToken(node))
    .filter(({ parent }) => !ts.isImportDeclaration(parent))
    .map(({ text }) => text);
}

/** All but the registries, and the kernels, which bear the names of what they compute. */
const REGISTRIES = ['src/layers/registry.ts', 'src/check/registry.ts'];
const others = [...filesIn('src'), ...filesIn('schemas')]
  .filter((file) => !REGISTRIES.includes(file) && !isWithin('src/kernels', file))
  .map((file) => ({ file, imports: importsOf(file), literals: literalsOf(file) }));

describe.each(layers.map(({ name }) => name))('the layer %s', (name) => {
  const own = [`src/layers/${name}.ts`, `schemas/${name}.ts`, `src/check/mistakes/${name}.ts`];

  it('has its file, its schema, its mistakes and its tests under its name', () => {
    expect([...own, `test/layers/${name}.test.ts`].filter((file) => !existsSync(new URL(file, root)))).toEqual([]);
  });

  it('has reference values for 30 configurations at least', () => {
    expect(new Set(referenceCases(name).map((given) => given.name)).size).toBeGreaterThanOrEqual(30);
  });

  it('is named by no other file but the registries', () => {
    const word = new RegExp(`(?<![a-z])${name}(?![a-z])`, 'i');
    const naming = others.filter(
      ({ file, imports, literals }) =>
        !own.includes(file) &&
        // A catalogue of mistakes that is too long for one file has a folder beside it.
        !isWithin(`src/check/mistakes/${name}`, file) &&
        (literals.some((text) => word.test(text)) || imports.some((path) => own.includes(path))),
    );
    expect(naming.map(({ file }) => file)).toEqual([]);
  });
});

describe('the registry', () => {
  it('lists every layer that is defined', () => {
    const defining = filesIn('src/layers').filter((file) =>
      nodesOf(file).some(
        (node) =>
          ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 'defineLayer',
      ),
    );
    expect(defining.sort()).toEqual(layers.map(({ name }) => `src/layers/${name}.ts`).sort());
  });
});
