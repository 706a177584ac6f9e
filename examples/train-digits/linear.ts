/**
 * The linear network, over JSON:
 *
 *     x [N, 196] → linear [80] → batchnorm → relu → dropout 0.1 → linear [10] → scores [N, 10]
 */
import { CLASSES, SIDE } from './digits.js';
import { json } from './json.js';
import { batchnorm, dropout, flatten, initialWeight, linear, pooling, relu, sequence } from './layers.js';
import { filled } from './tensor.js';
import type { Recipe } from './training.js';

/** Images are pooled to half their height and width: this quarters the size of every request, and accuracy is the same. */
const POOL = 2;
const INPUTS = (SIDE / POOL) ** 2;
const HIDDEN = 80;
const DROPOUT_RATE = 0.1;

export const linearRecipe: Recipe = {
  format: json,
  epochs: 5,
  batch: 64,
  firstLearningRate: 0.5,
  preparation: (client) => sequence(pooling(client, 'average', POOL), flatten()),
  network: (client, random) =>
    sequence(
      // No bias: batchnorm would subtract it again, and has beta instead.
      linear(client, { weight: initialWeight([HIDDEN, INPUTS], random) }),
      batchnorm(client, HIDDEN),
      relu(),
      dropout(client, DROPOUT_RATE, random),
      linear(client, { weight: initialWeight([CLASSES, HIDDEN], random), bias: filled([CLASSES], 0) }),
    ),
};
