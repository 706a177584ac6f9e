/** The names of the quantities that a changed statement is about. */
import ts from 'typescript';
import { textOf, type Variables } from './syntax.js';
import type { Parsed } from './sources.js';

/** Names that are no quantities. */
const NO_QUANTITIES = new Set(
  'Math Array Number given answers map reduce forEach flatMap slice fill length push from value row sum total undefined'.split(
    ' ',
  ),
);

/**
 * Those of the statement that a node is in, and of the variables that enclosing statements compute: in
 * `const out = x.map((row) => …)` these are out and x. A slip in a helper function is about its name, and about the
 * quantities that it is called for.
 */
export function quantitiesOf(node: ts.Node, parsed: Parsed, variables: Variables): string[] {
  const names = new Set<string>();
  for (const statement of statementsAround(node)) collect(statement, variables, names);
  for (const helper of helpersAround(node)) {
    names.add(helper);
    for (const caller of callersOf(helper, parsed)) collect(caller, variables, names);
  }
  return [...names];
}

/** The nearest statement, without the bodies of others; and the declarations, assignments and returns around it. */
function statementsAround(node: ts.Node): ts.Node[] {
  const nearest = ts.findAncestor(node, (at) => ts.isStatement(at) && !ts.isBlock(at)) ?? node;
  const around: ts.Node[] = [nearest];
  for (let at = nearest.parent; !ts.isSourceFile(at) && !isNamedFunction(at); at = at.parent) {
    if (ts.isVariableDeclaration(at)) around.push(at.name);
    if (ts.isPropertyAssignment(at)) around.push(at.name);
    if (ts.isBinaryExpression(at) && at.operatorToken.kind === ts.SyntaxKind.EqualsToken) around.push(at.left);
  }
  return around;
}

function isNamedFunction(node: ts.Node): boolean {
  return ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node);
}

/** Names of the functions around a node, except for the exported one. */
function helpersAround(node: ts.Node): string[] {
  const names: string[] = [];
  for (let at = node; !ts.isSourceFile(at); at = at.parent) {
    const isExported = ts.isFunctionDeclaration(at) && (at.modifiers?.length ?? 0) > 0;
    if ((ts.isFunctionDeclaration(at) || ts.isMethodDeclaration(at)) && at.name && !isExported)
      names.push(textOf(at.name));
    if (ts.isVariableDeclaration(at) && at.initializer && ts.isArrowFunction(at.initializer))
      names.push(textOf(at.name));
  }
  return names;
}

function callersOf(name: string, { file }: Parsed): ts.Node[] {
  const callers: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && textOf(node.expression).split('.').at(-1) === name)
      callers.push(ts.findAncestor(node, (at) => ts.isStatement(at) && !ts.isBlock(at)) ?? node);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return callers;
}

function collect(node: ts.Node, variables: Variables, names: Set<string>): void {
  if (ts.isTypeNode(node)) return;
  if (ts.isIdentifier(node) && !NO_QUANTITIES.has(node.text)) {
    const symbol = variables.symbolOf(node);
    if (!symbol || variables.role(symbol) !== 'index') names.add(node.text);
  }
  ts.forEachChild(node, (child) => {
    // The statements of a function have quantities of their own; those of a loop or a condition are what it is for.
    if (!ts.isBlock(child) || !ts.isFunctionLike(node)) collect(child, variables, names);
  });
}
