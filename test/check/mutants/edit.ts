import type ts from 'typescript';
import type { Edit, Kind } from './definition.js';

/** Writes `text` for a node; `description` says it as a clause. */
export function replace(node: ts.Node, text: string, kind: Kind, description: string): Edit {
  return { start: node.getStart(), end: node.end, text, kind, description };
}
