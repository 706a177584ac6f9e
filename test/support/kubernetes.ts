/**
 * The schemas of Kubernetes in `kubernetes-models`: its validators know required fields and the formats of values, and
 * its types know which fields exist, which the validators do not.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import type { Manifest } from './manifests.js';

const require = createRequire(import.meta.url);

interface Model {
  validate(): void;
}
type Models = Readonly<Record<string, new (data: unknown) => Model>>;

/** @throws {Error} that says what is wrong and where */
export function expectValid(manifest: Manifest): void {
  const { apiVersion, kind } = manifest;
  const models = require(`kubernetes-models/${apiVersion}`) as Models;
  if (!(kind in models)) throw new Error(`there is no ${kind} in ${apiVersion}`);
  new models[kind](manifest).validate();
}

/**
 * Type errors for unknown fields and fields of the wrong type, in the compiler's words.
 * @param typed for each name, an import of its type and the value
 */
export function typeErrors(typed: readonly { type: string; from: string; value: unknown }[]): string[] {
  const file = fileURLToPath(new URL('manifests.generated.ts', import.meta.url));
  const text = typed
    .map(
      ({ type, from, value }, i) =>
        `import type { ${type} as T${i} } from '${from}';\nexport const v${i}: T${i} = ${JSON.stringify(value)};`,
    )
    .join('\n');
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const virtual: ts.CompilerHost = {
    ...host,
    fileExists: (name) => name === file || host.fileExists(name),
    getSourceFile: (name, ...rest) =>
      name === file ? ts.createSourceFile(name, text, ts.ScriptTarget.ES2022) : host.getSourceFile(name, ...rest),
  };
  const program = ts.createProgram([file], options, virtual);
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

export function typeOf({ apiVersion, kind, ...rest }: Manifest) {
  return { type: `I${kind}`, from: `kubernetes-models/${apiVersion}`, value: { apiVersion, kind, ...rest } };
}
