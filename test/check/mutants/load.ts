/** Runs implementations in this process. */
import { Script } from 'node:vm';
import ts from 'typescript';
import type { Answers, Implementation } from './definition.js';

/**
 * A mutant whose loop may never end is stopped after this many iterations of all its loops: counted, rather than timed,
 * so that a busy machine has the same results. A right implementation needs some ten thousand.
 */
const MOST_ITERATIONS = 2_000_000;

const COUNTER = 'iterationsLeft';

export function transpile(source: string): string {
  return ts.transpileModule(source, {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, removeComments: true },
    transformers: { before: [countIterations] },
  }).outputText;
}

/** Begins the body of every loop with a call that counts. */
const countIterations: ts.TransformerFactory<ts.SourceFile> = (context) => (file) => {
  const { factory } = context;
  const counted = (body: ts.Statement) => {
    const call = factory.createCallExpression(factory.createIdentifier(COUNTER), undefined, []);
    return factory.createBlock([factory.createExpressionStatement(call), body], true);
  };
  const visit = (node: ts.Node): ts.Node => {
    const inner = ts.visitEachChild(node, visit, context);
    if (ts.isForStatement(inner))
      return factory.updateForStatement(
        inner,
        inner.initializer,
        inner.condition,
        inner.incrementor,
        counted(inner.statement),
      );
    if (ts.isWhileStatement(inner))
      return factory.updateWhileStatement(inner, inner.expression, counted(inner.statement));
    if (ts.isDoStatement(inner)) return factory.updateDoStatement(inner, counted(inner.statement), inner.expression);
    return inner;
  };
  return ts.visitEachChild(file, visit, context);
};

export type Run = (given: object) => Answers;

/**
 * @param program transpiled
 * @throws whatever the program throws, and if a loop does not end
 */
export function load(program: string): Run {
  type Define = (exports: { default?: Implementation }, count: () => void) => void;
  const define = new Script(`(exports, ${COUNTER}) => { ${program} }`).runInThisContext() as Define;
  const exports: { default?: Implementation } = {};
  let left = MOST_ITERATIONS;
  define(exports, () => {
    if (left-- <= 0) throw new Error('a loop does not end');
  });
  const { default: implementation } = exports;
  if (!implementation) throw new Error('no default export');
  return (given) => {
    left = MOST_ITERATIONS;
    return implementation(given as never);
  };
}
