/** How much is tested: a part with `npm test`, everything with `npm run test:all`, which sets `TESTS=all`. */
import process from 'node:process';

const everything = process.env.TESTS === 'all';

/** A number of random cases, or a part of a list; a quick run uses fewer of the same. */
export const atScale = <Value>(scale: { readonly all: Value; readonly quick: Value }): Value =>
  everything ? scale.all : scale.quick;
