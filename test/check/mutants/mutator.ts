/** Changes an implementation by one edit of its syntax tree, in every way in which fingers usually slip. */
import ts from 'typescript';
import { arithmeticEdits } from './arithmetic-edits.js';
import type { Edit, Mutant, Original } from './definition.js';
import { nameEdits } from './name-edits.js';
import { placeEdits } from './place-edits.js';
import { quantitiesOf } from './quantities.js';
import type { Parsed } from './sources.js';
import { otherEdits, statementEdits } from './statement-edits.js';
import { isInAllocation, textOf, Variables } from './syntax.js';

/** Every mutant of an implementation, in the order of the source; no two are the same. */
export function mutantsOf(parsed: Parsed): Mutant[] {
  const { original, file } = parsed;
  const variables = new Variables(parsed);
  const seen = new Set([original.source]);
  const mutants: Mutant[] = [];
  const visit = (node: ts.Node): void => {
    if (isUntouched(node)) return;
    for (const edit of editsOf(node, parsed, variables)) {
      const source = sourceWith(original, edit);
      if (seen.has(source)) continue;
      seen.add(source);
      const kind = isInAllocation(node) || isPlumbing(node) ? 'other' : edit.kind;
      mutants.push({
        original,
        edit,
        ...placeOf(file, edit, source),
        kind,
        description: edit.description,
        quantities: quantitiesOf(node, parsed, variables),
      });
    }
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(file, visit);
  return mutants;
}

/** The whole source of a mutant. */
export const sourceOf = ({ original, edit }: Mutant): string => sourceWith(original, edit);

function sourceWith({ source }: Original, { start, end, text }: Mutant['edit']): string {
  return source.slice(0, start) + text + source.slice(end);
}

function* editsOf(node: ts.Node, parsed: Parsed, variables: Variables): Generator<Edit> {
  yield* arithmeticEdits(node, parsed);
  yield* statementEdits(node, parsed);
  yield* placeEdits(node, parsed);
  yield* nameEdits(node, parsed, variables);
  yield* otherEdits(node);
}

/** Functions that only rearrange nested arrays: they belong to the language of the implementation, not to the layer. */
const PLUMBING =
  /^(un)?(flatten|nest|lift|drop|range|zeros|indicesOf|planeOf|product)$|^(nest|reshape|shapeOf)|(to|from)Rows$|Like$/i;

function isPlumbing(node: ts.Node): boolean {
  const named = ts.findAncestor(node, (at) => {
    if (ts.isFunctionDeclaration(at)) return at.name !== undefined && PLUMBING.test(textOf(at.name));
    if (!ts.isVariableDeclaration(at) || !at.initializer) return false;
    return ts.isArrowFunction(at.initializer) && PLUMBING.test(textOf(at.name));
  });
  return named !== undefined;
}

/** Types, imports, and refusals of options that an implementation does not have. */
function isUntouched(node: ts.Node): boolean {
  if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isInterfaceDeclaration(node)) return true;
  if (ts.isTypeAliasDeclaration(node) || ts.isThrowStatement(node)) return true;
  if (!ts.isIfStatement(node)) return false;
  const { thenStatement } = node;
  const [first] = ts.isBlock(thenStatement) ? thenStatement.statements : [thenStatement];
  return (first as ts.Statement | undefined) !== undefined && ts.isThrowStatement(first);
}

/** Longest excerpt of a changed line. */
const LONGEST = 160;

function placeOf(
  file: ts.SourceFile,
  edit: Edit,
  source: string,
): Pick<Mutant, 'line' | 'column' | 'before' | 'after'> {
  const { line, character } = file.getLineAndCharacterOfPosition(edit.start);
  const start = file.text.lastIndexOf('\n', edit.start - 1) + 1;
  const lineIn = (text: string, end: number) => {
    const stop = text.indexOf('\n', end);
    const whole = text.slice(start, stop < 0 ? text.length : stop).replace(/\s+/g, ' ');
    return whole.trim().slice(0, LONGEST);
  };
  return {
    line: line + 1,
    column: character + 1,
    before: lineIn(file.text, edit.end),
    after: lineIn(source, edit.start + edit.text.length),
  };
}
