/** A seven in 8 × 8 pixels, for the layers that process images. */
const PICTURE = `
  ........
  .####99.
  .6779#8.
  .....#4.
  ....7#..
  ...4#4..
  ...#8...
  ...#3...
`;

/** `#` is full ink; a digit is that many tenths of it. */
const INK: Readonly<Record<string, number>> = { '.': 0, '#': 1 };

export const digit: number[][] = PICTURE.trim()
  .split('\n')
  .map((row) => Array.from(row.trim(), (pixel) => INK[pixel] ?? Number(pixel) / 10));
