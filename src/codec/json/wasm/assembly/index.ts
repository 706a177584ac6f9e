/** The JSON codec's hot loops. `../numbers.ts` is the only caller. */
import { INPUT, OUTPUT, SHAPE } from './layout';

export { PIECE, WINDOW } from './layout';
export { position } from './status';
export { beginSkip, commas, skip } from './skip';
export { beginParse, parse32, parse64, parseInt32, produced, shapeRank } from './parse';
export { beginPrint, print32, print64, printInt32, printUint8 } from './print';

export function input(): usize {
  return INPUT;
}
export function output(): usize {
  return OUTPUT;
}
export function shape(): usize {
  return SHAPE;
}
