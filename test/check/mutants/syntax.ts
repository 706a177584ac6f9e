/** What the edits ask of a syntax tree: where a node is, and what kind of quantity an expression is. */
import ts from 'typescript';
import type { Parsed } from './sources.js';

export const textOf = (node: ts.Node): string => node.getText();

/** Functions that only make arrays: their arguments are sizes, and a wrong one is seldom a slip in a formula. */
const ALLOCATES = /^(zeros?|ones|full|empty|fill|alloc|make|create|new)([A-Z_]\w*|\d\w*|Like)?$/i;

export function isAllocation(node: ts.Node): boolean {
  if (ts.isNewExpression(node)) return textOf(node.expression).endsWith('Array');
  if (!ts.isCallExpression(node)) return false;
  if (ts.isPropertyAccessExpression(node.expression)) return node.expression.name.text === 'fill';
  return ALLOCATES.test(textOf(node.expression)) || textOf(node.expression) === 'Array';
}

/** Whether a node is an argument of an allocation, or the `{ length }` that `Array.from` counts to. */
export function isInAllocation(node: ts.Node): boolean {
  for (let at = node; !ts.isStatement(at.parent) && !ts.isFunctionLike(at.parent); at = at.parent) {
    const { parent } = at;
    if (isAllocation(parent) && at !== (parent as ts.CallExpression).expression) return true;
    if (ts.isObjectLiteralExpression(at) && at.properties.some(({ name }) => name && textOf(name) === 'length'))
      return true;
    if (ts.isSourceFile(parent)) return false;
  }
  return false;
}

/** The `for` whose header a node is in. */
export function headerOf(node: ts.Node): ts.ForStatement | undefined {
  for (let at = node; !ts.isSourceFile(at.parent); at = at.parent) {
    if (ts.isForStatement(at.parent)) return at === at.parent.statement ? undefined : at.parent;
    if (ts.isStatement(at.parent) && !ts.isVariableStatement(at.parent)) return undefined;
  }
  return undefined;
}

/** Whether a node is part of a subscript. */
export function isInSubscript(node: ts.Node): boolean {
  for (let at = node; !ts.isStatement(at); at = at.parent) {
    if (ts.isElementAccessExpression(at.parent) && at.parent.argumentExpression === at) return true;
    if (ts.isSourceFile(at.parent)) return false;
  }
  return false;
}

/** The type of an expression, without `undefined` and as a type of all its literals. */
function typeOf({ checker }: Parsed, node: ts.Node): ts.Type {
  return checker.getBaseTypeOfLiteralType(checker.getNonNullableType(checker.getTypeAtLocation(node)));
}

export const isNumber = (parsed: Parsed, node: ts.Node): boolean =>
  (typeOf(parsed, node).flags & ts.TypeFlags.NumberLike) !== 0;

/** Whether either could be written for the other. */
export const areSameType = (parsed: Parsed, a: ts.Node, b: ts.Node): boolean =>
  areAssignable(parsed, typeOf(parsed, a), typeOf(parsed, b));

export function areAssignable({ checker }: Parsed, a: ts.Type, b: ts.Type): boolean {
  return checker.isTypeAssignableTo(a, b) && checker.isTypeAssignableTo(b, a);
}

export function typeOfSymbol({ checker }: Parsed, symbol: ts.Symbol, at: ts.Node): ts.Type {
  const type = checker.getNonNullableType(checker.getTypeOfSymbolAtLocation(symbol, at));
  return checker.getBaseTypeOfLiteralType(type);
}

/** Sums and products, through which an operand is reached without parentheses. */
export const isSum = (node: ts.Node): node is ts.BinaryExpression =>
  ts.isBinaryExpression(node) &&
  (node.operatorToken.kind === ts.SyntaxKind.PlusToken || node.operatorToken.kind === ts.SyntaxKind.MinusToken);

export const isProduct = (node: ts.Node): node is ts.BinaryExpression =>
  ts.isBinaryExpression(node) &&
  (node.operatorToken.kind === ts.SyntaxKind.AsteriskToken || node.operatorToken.kind === ts.SyntaxKind.SlashToken);

/** What a number is for; slips exchange numbers of one role. */
export type Role = 'index' | 'size' | 'value';

const CALLBACKS = /\.(map|forEach|reduce|flatMap|filter|every|some|findIndex|reduceRight)$|Array\.from$/;

function isLoopVariable(declaration: ts.Declaration): boolean {
  if (ts.isVariableDeclaration(declaration)) {
    const { parent } = declaration.parent;
    return ts.isForStatement(parent);
  }
  if (!ts.isParameter(declaration)) return false;
  const { parent: callback } = declaration;
  if (!ts.isArrowFunction(callback) || !ts.isCallExpression(callback.parent)) return false;
  const place = callback.parameters.indexOf(declaration);
  const callee = textOf(callback.parent.expression);
  return CALLBACKS.test(callee) && place === (/\.reduce(Right)?$/.test(callee) ? 2 : 1);
}

/** Dimensions are upper-case letters, as in the literature: N, C, KH, Cg. */
const DIMENSION = /^[A-Z][A-Z]?[a-z]?\d?$/;

function isSize(declaration: ts.Declaration): boolean {
  if (ts.isBindingElement(declaration)) return DIMENSION.test(textOf(declaration.name));
  if (!ts.isVariableDeclaration(declaration) || !declaration.initializer) return false;
  return textOf(declaration.initializer).endsWith('.length') || DIMENSION.test(textOf(declaration.name));
}

/** The declarations and uses of every variable of a file. */
export class Variables {
  private readonly subscripts = new Map<ts.Symbol, Set<string>>();
  private readonly asSubscript = new Set<ts.Symbol>();
  private readonly asBound = new Set<ts.Symbol>();

  constructor(private readonly parsed: Parsed) {
    const visit = (node: ts.Node): void => {
      if (ts.isIdentifier(node)) this.note(node);
      ts.forEachChild(node, visit);
    };
    visit(parsed.file);
  }

  symbolOf(node: ts.Identifier): ts.Symbol | undefined {
    const { checker } = this.parsed;
    if (ts.isShorthandPropertyAssignment(node.parent)) return checker.getShorthandAssignmentValueSymbol(node.parent);
    return checker.getSymbolAtLocation(node);
  }

  role(symbol: ts.Symbol): Role {
    const { valueDeclaration: declaration } = symbol;
    if (this.asSubscript.has(symbol) || (declaration && isLoopVariable(declaration))) return 'index';
    return this.asBound.has(symbol) || (declaration && isSize(declaration)) ? 'size' : 'value';
  }

  /** Whether both are read or written with the same subscripts somewhere, as `x[n][c]` and `xhat[n][c]` are. */
  areUsedAlike(a: ts.Symbol, b: ts.Symbol): boolean {
    const [first, second] = [this.subscripts.get(a), this.subscripts.get(b)];
    return first !== undefined && second !== undefined && [...first].some((subscript) => second.has(subscript));
  }

  private note(node: ts.Identifier): void {
    const symbol = this.symbolOf(node);
    if (!symbol) return;
    const { parent } = node;
    if (ts.isElementAccessExpression(parent) && parent.argumentExpression === node) this.asSubscript.add(symbol);
    if (ts.isBinaryExpression(parent) && parent.right === node && headerOf(node)?.condition === parent)
      this.asBound.add(symbol);
    let whole: ts.Node = node;
    while (ts.isElementAccessExpression(whole.parent) && whole.parent.expression === whole) whole = whole.parent;
    if (whole === node) return;
    const subscripts = this.subscripts.get(symbol) ?? new Set<string>();
    subscripts.add(textOf(whole).slice(textOf(node).length));
    this.subscripts.set(symbol, subscripts);
  }
}
