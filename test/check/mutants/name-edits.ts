/** Another variable of the same kind: a gate for another gate, x for x̂, the state before a step for the one after it. */
import ts from 'typescript';
import type { Edit } from './definition.js';
import { areAssignable, areSameType, headerOf, isNumber, textOf, typeOfSymbol, type Variables } from './syntax.js';
import type { Parsed } from './sources.js';

/** Names that are tried for each use: the nearest ones. */
const MOST_NAMES = 4;

const change = (node: ts.Node, text: string): Edit => ({
  start: node.getStart(),
  end: node.end,
  text: ts.isShorthandPropertyAssignment(node.parent) ? `${textOf(node)}: ${text}` : text,
  kind: 'other variable',
  description: `${text} instead of ${textOf(node)}`,
});

export function* nameEdits(node: ts.Node, parsed: Parsed, variables: Variables): Generator<Edit> {
  if (headerOf(node) && isNumber(parsed, node)) return;
  if (ts.isIdentifier(node) && isUse(node))
    for (const name of othersFor(node, parsed, variables))
      yield { ...change(node, name), kind: isCalled(node) ? 'function' : 'other variable' };
  if (ts.isPropertyAccessExpression(node)) yield* propertyEdits(node, parsed);
  if (ts.isArrayBindingPattern(node) || ts.isArrayLiteralExpression(node)) yield* listEdits(node, parsed);
}

/** Whether an identifier reads or writes a variable, rather than declaring one or naming a property or a type. */
function isUse(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  if (ts.isVariableDeclaration(parent) || ts.isParameter(parent)) return parent.initializer === node;
  return !(
    ts.isBindingElement(parent) ||
    ts.isFunctionDeclaration(parent) ||
    ts.isClassDeclaration(parent) ||
    ts.isMethodDeclaration(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isLabeledStatement(parent)
  );
}

function othersFor(node: ts.Identifier, parsed: Parsed, variables: Variables): readonly string[] {
  const { checker, file } = parsed;
  const symbol = variables.symbolOf(node);
  if (symbol?.valueDeclaration?.getSourceFile() !== file) return [];
  const type = typeOfSymbol(parsed, symbol, node);
  const isFunction = type.getCallSignatures().length > 0;
  const numeric = (type.flags & ts.TypeFlags.NumberLike) !== 0;
  if ((type.flags & (ts.TypeFlags.StringLike | ts.TypeFlags.BooleanLike | ts.TypeFlags.Any)) !== 0) return [];
  const role = variables.role(symbol);
  const isNear = (other: ts.Symbol) => {
    if (isFunction) return isOfNumbers(parsed, type) || areAlike(symbol.name, other.name);
    const home = functionOf(symbol.valueDeclaration);
    return numeric
      ? functionOf(other.valueDeclaration) === home || areAlike(symbol.name, other.name)
      : variables.areUsedAlike(symbol, other) || areAlike(symbol.name, other.name);
  };
  return [ts.SymbolFlags.Variable, ts.SymbolFlags.Function]
    .flatMap((flag) => checker.getSymbolsInScope(node, flag))
    .filter((other) => other !== symbol && other.valueDeclaration?.getSourceFile() === file)
    .filter((other) => isDeclaredBefore(other, node) && variables.role(other) === role)
    .filter((other) => areAssignable(parsed, typeOfSymbol(parsed, other, node), type) && isNear(other))
    .sort((a, b) => distance(symbol, a, node) - distance(symbol, b, node))
    .slice(0, MOST_NAMES)
    .map(({ name }) => name);
}

const isCalled = (node: ts.Identifier) => ts.isCallExpression(node.parent) && node.parent.expression === node;

/** Whether a function makes one number of another, as a nonlinearity does. */
function isOfNumbers({ checker }: Parsed, type: ts.Type): boolean {
  return checker.typeToString(type).replace(/^\(\w+: /, '(') === '(number) => number';
}

const functionOf = (node: ts.Node | undefined) => node && ts.findAncestor(node.parent, ts.isFunctionLike);

function isDeclaredBefore({ valueDeclaration: declaration }: ts.Symbol, node: ts.Node): boolean {
  if (!declaration) return false;
  if (ts.isFunctionDeclaration(declaration) || ts.isParameter(declaration)) return true;
  // Functions run after the declarations around them.
  return declaration.end <= node.pos || functionOf(declaration) !== functionOf(node);
}

/** Whether one name is part of the other, or both begin or end alike: h and hPrev, dweight_ih and dweight_hh. */
function areAlike(a: string, b: string): boolean {
  const [first, second] = [a, b].map((name) => name.replaceAll('_', '').toLowerCase());
  if (first.includes(second) || second.includes(first)) return true;
  const shorter = Math.min(first.length, second.length);
  if (shorter <= 2) return Math.max(first.length, second.length) <= 2;
  let [prefix, suffix] = [0, 0];
  while (prefix < shorter && first[prefix] === second[prefix]) prefix++;
  while (suffix < shorter && first.at(-1 - suffix) === second.at(-1 - suffix)) suffix++;
  return Math.max(prefix, suffix) * 2 >= shorter;
}

/** Names that look alike first, then those that are declared nearby. */
function distance(symbol: ts.Symbol, other: ts.Symbol, node: ts.Node | undefined): number {
  const away = Math.abs((other.valueDeclaration?.pos ?? 0) - (node?.pos ?? 0));
  return (areAlike(symbol.name, other.name) ? 0 : 1e6) + away;
}

/** `cache.xhat` for `cache.x`, `this.wh` for `this.wx`, `step.f` for `step.i`. */
function* propertyEdits(node: ts.PropertyAccessExpression, parsed: Parsed): Generator<Edit> {
  const { checker, file } = parsed;
  const owner = checker.getNonNullableType(checker.getTypeAtLocation(node.expression));
  const symbol = checker.getSymbolAtLocation(node.name);
  if (symbol?.valueDeclaration?.getSourceFile() !== file) return;
  const type = typeOfSymbol(parsed, symbol, node);
  if ((type.flags & (ts.TypeFlags.StringLike | ts.TypeFlags.BooleanLike)) !== 0) return;
  const others = owner
    .getProperties()
    .filter((other) => other !== symbol && other.valueDeclaration?.getSourceFile() === file)
    .filter((other) => areAssignable(parsed, typeOfSymbol(parsed, other, node), type))
    .sort((a, b) => distance(symbol, a, symbol.valueDeclaration) - distance(symbol, b, symbol.valueDeclaration))
    .slice(0, MOST_NAMES);
  for (const { name } of others) yield change(node.name, name);
}

/** Neighbours of a list exchanged: `[f, i, g, o]` for `[i, f, g, o]`. */
function* listEdits(node: ts.ArrayBindingPattern | ts.ArrayLiteralExpression, parsed: Parsed): Generator<Edit> {
  for (const [i, second] of node.elements.entries()) {
    const first = node.elements[i - 1] as (typeof node.elements)[number] | undefined;
    if (!first || ts.isOmittedExpression(first) || ts.isOmittedExpression(second)) continue;
    if (ts.isSpreadElement(first) || ts.isSpreadElement(second)) continue;
    if ((ts.isBindingElement(second) && second.dotDotDotToken) || !areSameType(parsed, first, second)) continue;
    const [a, b] = [textOf(first), textOf(second)];
    yield {
      start: first.getStart(),
      end: second.end,
      text: `${b}, ${a}`,
      kind: 'arguments exchanged',
      description: `${a} and ${b} were exchanged`,
    };
  }
}
