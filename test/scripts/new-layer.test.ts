import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { withLayer } from '../../scripts/new-layer/list.js';
import { templates } from '../../scripts/new-layer/templates.js';
import { withRegions } from '../../scripts/reference/regions.js';
import { allChecks } from '../../src/check/registry.js';

const root = new URL('../../', import.meta.url);
const files = templates('half_tanh');

it('a new layer has a file everywhere that the other layers have one', () => {
  expect(Object.keys(files)).toEqual([
    'schemas/half_tanh.ts',
    'src/layers/half_tanh.ts',
    'src/formulas/layers/half_tanh.ts',
    'src/check/mistakes/half_tanh.ts',
    'src/check/bounds/half_tanh.ts',
    'test/layers/samples/half_tanh.ts',
    'test/reference/layers/half_tanh.py',
    'docs/layers/half_tanh.md',
  ]);
});

it('its files compile', () => {
  const paths = new Map(Object.entries(files).map(([path, text]) => [new URL(path, root).pathname, text]));
  const disk = ts.createCompilerHost({});
  const textOf = (path: string) => paths.get(path) ?? disk.readFile(path);
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (path) => paths.has(path) || disk.fileExists(path),
    readFile: textOf,
    getSourceFile(path, target) {
      const text = textOf(path);
      return text === undefined ? undefined : ts.createSourceFile(path, text, target);
    },
  };
  const { config } = ts.readConfigFile(new URL('tsconfig.json', root).pathname, textOf) as { config: object };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root.pathname);
  const program = ts.createProgram(
    [...paths.keys()].filter((path) => path.endsWith('.ts')),
    { ...options, noEmit: true, incremental: false },
    host,
  );
  expect(ts.getPreEmitDiagnostics(program).map(({ messageText }) => messageText)).toEqual([]);
});

it('its page shows what every page shows, and its formulas', () => {
  const [checks] = allChecks;
  const formulas = { forward: { 'out = x': 'out = x' }, backward: { 'dx = dout': 'dx = dout' } };
  const layer = { ...checks.layer, reference: { ...checks.layer.reference, formulas } };
  expect(withRegions(files['docs/layers/half_tanh.md'], { ...checks, layer })).toContain('# half_tanh');
});

it('what it leaves to write throws, and says what it is', () => {
  const thrown = Object.entries(files).filter(([, text]) => /throw new Error|NotImplementedError/.test(text));
  expect(thrown.map(([path]) => path)).toEqual([
    'src/layers/half_tanh.ts',
    'src/check/bounds/half_tanh.ts',
    'test/layers/samples/half_tanh.ts',
    'test/reference/layers/half_tanh.py',
  ]);
});

it('it is added to the list of layers in alphabetical order', () => {
  const registry = readFileSync(new URL('src/layers/registry.ts', root), 'utf8');
  const added = withLayer(registry, 'half_tanh');
  expect(added).toContain("import { half_tanh } from './half_tanh.js';");
  expect(added).toMatch(/dropout, half_tanh, linear/);
});
