import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { layers } from '../src/layers/registry.js';
import { referenceCases } from './support/reference.js';

const root = new URL('../', import.meta.url);

/** Every TypeScript file in a folder and its subfolders, as a path from the repository's root. */
function filesIn(folder: string): string[] {
  const names = readdirSync(new URL(`${folder}/`, root), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => /\.tsx?$/.test(name)).map((name) => posix.join(folder, name.replaceAll('\\', '/')));
}

function textOf(file: string): string {
  return readFileSync(new URL(file, root), 'utf8');
}

/** The modules that a file imports, including type imports: files as paths from the root, packages by name. */
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
 * The table in ARCHITECTURE.md, in the same order: imports run from a later line to an earlier one. A place may always
 * import from itself. Any name that is not one of these places is a package; a place without `packages` may use any.
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
  {
    place: 'src/platform',
    mayImport: [],
    packages: ['node:fs', 'node:module', 'node:v8', 'node:worker_threads'],
  },
  { place: 'src/keys', mayImport: [], packages: ['node:crypto', 'node:fs'] },
  { place: 'src/kernels', mayImport: ['src/tensor'], packages: [] },
  {
    place: 'src/layers',
    // Only the interface of the kernels, never an implementation.
    mayImport: ['schemas', 'src/refusal.ts', 'src/tensor', 'src/kernels/kernels.ts'],
    packages: ['@sinclair/typebox'],
  },
  { place: 'src/formulas', mayImport: ['schemas', 'src/tensor', 'src/layers'], packages: ['@sinclair/typebox'] },
  {
    place: 'src/check',
    mayImport: ['schemas', 'src/refusal.ts', 'src/tensor', 'src/kernels/kernels.ts', 'src/layers', 'src/formulas'],
    packages: ['@sinclair/typebox'],
  },
  { place: 'src/validation', mayImport: ['src/refusal.ts'] },
  { place: 'src/codec', mayImport: ['src/refusal.ts', 'src/tensor', 'src/platform', 'src/validation'] },
  { place: 'src/sessions', mayImport: ['src/refusal.ts', 'src/tensor', 'src/platform'] },
  {
    place: 'src/calls',
    mayImport: [
      'schemas',
      'src/refusal.ts',
      'src/tensor',
      'src/kernels/kernels.ts',
      'src/layers',
      'src/check',
      'src/codec',
      'src/sessions',
      'src/validation',
    ],
  },
  {
    place: 'src/runtime',
    mayImport: [
      'src/refusal.ts',
      'src/tensor',
      'src/platform',
      'src/kernels',
      'src/layers',
      'src/codec',
      'src/sessions',
      'src/calls',
    ],
  },
  // Before the app, which receives its configuration as an argument and therefore imports its type.
  { place: 'src/config.ts', mayImport: ['src/codec', 'src/validation', 'src/sessions'] },
  {
    place: 'src/http',
    mayImport: [
      'schemas',
      'src/refusal.ts',
      'src/tensor',
      'src/platform',
      'src/keys',
      'src/layers',
      'src/check',
      'src/codec',
      'src/sessions',
      'src/validation',
      'src/calls',
      'src/runtime',
      'src/config.ts',
    ],
  },
  { place: 'src/server.ts', mayImport: ['src/config.ts', 'src/http', 'src/sessions', 'src/runtime/cluster'] },
  { place: 'bench', mayImport: ['src'] },
  { place: 'scripts', mayImport: ['src'] },
  // Runs in a browser. May use only the types of the schemas, the window arithmetic and the rounding of claims.
  {
    place: 'web',
    mayImport: ['schemas', 'src/tensor/windows.ts', 'src/check/rounding.ts'],
    packages: ['@preact/signals', 'preact', 'preact/hooks', 'temml', 'uplot', 'uplot/dist/uPlot.min.css'],
  },
  // Clients use only HTTP.
  { place: 'examples', mayImport: [] },
];
const files = ['schemas', 'src', 'web', 'bench', 'examples', 'scripts'].flatMap(filesIn);

const isOurs = (imported: string) => /^(schemas|src|web|test|bench|examples|scripts)\//.test(imported);

describe('imports', () => {
  it('include values and types', () => {
    expect(importsOf('src/layers/linear.ts')).toEqual(
      expect.arrayContaining(['schemas/linear.ts', 'src/refusal.ts', 'src/tensor/tensor.ts']),
    );
    expect(importsOf('src/kernels/kernels.ts')).toEqual(['src/tensor/tensor.ts', 'src/tensor/windows.ts']);
  });

  it('are governed by exactly one rule for every file', () => {
    const unruled = files.filter((file) => RULES.filter(({ place }) => isWithin(place, file)).length !== 1);
    expect(unruled).toEqual([]);
  });

  it.each(RULES.map((rule) => [rule.place, rule] as const))(
    'of %s run one way, by permissions that are all used',
    (place, { mayImport, packages }) => {
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
      const imports = files.filter((file) => isWithin(place, file)).flatMap(importsOf);
      const granted = [...mayImport, ...(packages ?? [])];
      const unused = granted.filter((allowed) => !imports.some((imported) => isWithin(allowed, imported)));
      expect(unused).toEqual([]);
    },
  );
});

describe('the page', () => {
  it('loads no schema, and of the service only the window arithmetic and the rounding of claims', () => {
    const loaded = [...loadedWith('web/main.tsx')].filter((file) => /^(schemas|src)\//.test(file));
    expect(loaded.sort()).toEqual(['src/check/compare.ts', 'src/check/rounding.ts', 'src/tensor/windows.ts']);
  });
});

describe('OpenTelemetry', () => {
  it('is imported by one file, which is loaded only if traces are configured', () => {
    const using = files.filter((file) =>
      importsOf(file).some((name) => /^(@opentelemetry\/|@fastify\/otel)/.test(name)),
    );
    expect(using).toEqual(['src/http/plugins/tracing.ts']);
    const statically = files.filter((file) => /from '[^']*\/tracing\.js'/.test(textOf(file)));
    expect(statically).toEqual([]);
  });
});

/** All files and packages loaded with a file through static imports, except types. */
function loadedWith(file: string, loaded = new Set<string>()): Set<string> {
  if (loaded.has(file)) return loaded;
  loaded.add(file);
  for (const node of nodesOf(file)) {
    if (!ts.isImportDeclaration(node) || node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword) continue;
    const path = (node.moduleSpecifier as ts.StringLiteral).text;
    if (path.startsWith('.')) loadedWith(sourceOf(posix.join(posix.dirname(file), path)), loaded);
    else loaded.add(path);
  }
  return loaded;
}

describe('the primary process', () => {
  const loaded = [...loadedWith('src/server.ts')];

  it('loads everything that it runs itself', () => {
    expect(loaded).toEqual(expect.arrayContaining(['src/config.ts', 'src/runtime/cluster/primary.ts', 'pino']));
  });

  it('loads no layer, no codec with WebAssembly, and no server', () => {
    const needless = ['src/platform', 'src/kernels', 'src/layers', 'src/codec/json/wasm', 'src/http', 'fastify'];
    expect(loaded.filter((file) => needless.some((place) => isWithin(place, file)))).toEqual([]);
  });
});

describe('the pure modules', () => {
  /** The clock, the environment, randomness, the network and other globals. */
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

  it.each(['src/tensor', 'src/kernels', 'src/layers', 'src/formulas', 'src/check'])(
    'in %s use no clock, no environment and no randomness',
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

/** The string literals of a file, except the paths of imports. */
function literalsOf(file: string): string[] {
  return nodesOf(file)
    .filter((node) => ts.isStringLiteral(node) || ts.isTemplateLiteralToken(node))
    .filter(({ parent }) => !ts.isImportDeclaration(parent))
    .map(({ text }) => text);
}

/** All files except the registries, and the kernels, which are named after what they compute. */
const REGISTRIES = ['src/layers/registry.ts', 'src/formulas/layers/registry.ts', 'src/check/registry.ts'];
const others = [...filesIn('src'), ...filesIn('schemas')]
  .filter((file) => !REGISTRIES.includes(file) && !isWithin('src/kernels', file))
  .map((file) => ({ file, imports: importsOf(file), literals: literalsOf(file) }));

describe.each(layers.map(({ name }) => name))('the layer %s', (name) => {
  const required = ['schemas', 'src/layers', 'src/formulas/layers', 'src/check/mistakes'].map(
    (folder) => `${folder}/${name}.ts`,
  );
  const own = [...required, `src/check/bounds/${name}.ts`];

  it('has its file, its schema, its formulas, its mistakes and its sample under its name', () => {
    expect([...required, `test/layers/samples/${name}.ts`].filter((file) => !existsSync(new URL(file, root)))).toEqual(
      [],
    );
  });

  it('has reference values for at least 32 configurations', () => {
    expect(new Set(referenceCases(name).map((given) => given.name)).size).toBeGreaterThanOrEqual(32);
  });

  it('is named by no other file than the registries', () => {
    // A name next to a hyphen is part of another word.
    const word = new RegExp(`(?<![a-z-])${name}(?![a-z-])`, 'i');
    const naming = others.filter(
      ({ file, imports, literals }) =>
        !own.includes(file) &&
        // A catalogue of mistakes that is too long for one file has a folder next to it.
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
