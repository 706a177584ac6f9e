/** Trains a classifier of handwritten digits. The service computes the layers; everything else is here. */
import { Client } from './client.js';
import { loadDigits, type Sample } from './digits.js';
import type { Format } from './format.js';
import type { Layer } from './layers.js';
import { countCorrect, crossEntropy } from './loss.js';
import { Momentum } from './momentum.js';
import { shuffled, uniform } from './random.js';
import { stack, unstack } from './tensor.js';

/** A network and its hyperparameters. */
export interface Recipe {
  /** The format that the client uses. */
  readonly format: Format;
  readonly epochs: number;
  readonly batch: number;
  /** Decreases linearly to zero after the last step. */
  readonly firstLearningRate: number;
  /** Preprocesses images [N, 1, 28, 28], once. */
  readonly preparation: (client: Client) => Layer;
  /** Maps preprocessed images to scores [N, 10]. */
  readonly network: (client: Client, random: () => number) => Layer;
}

export interface Result {
  /** Fraction of held-out digits that are recognised. */
  readonly accuracy: number;
  readonly heldOut: number;
  readonly requests: number;
}

const SEED = 1;
const MOMENTUM = 0.9;
const STEPS_A_LINE = 25;

/**
 * @param base address of the service, such as `http://127.0.0.1:8080`
 * @param print receives a line of progress every few steps
 * @throws {Error} if the service does not answer, or refuses a request
 */
export async function train(base: string, recipe: Recipe, print: (line: string) => void): Promise<Result> {
  const { format, epochs, batch, firstLearningRate } = recipe;
  const client = new Client(base, format);
  const digits = loadDigits(SEED);
  const preparation = recipe.preparation(client);
  const training = await prepared(preparation, digits.training, batch);
  const heldOut = await prepared(preparation, digits.heldOut, batch);

  const random = uniform(SEED);
  const network = recipe.network(client, random);
  const optimizer = new Momentum(network.parameters, MOMENTUM);
  const steps = epochs * Math.ceil(training.length / batch);
  let step = 0;
  let recent = { loss: 0, correct: 0, examples: 0 };
  for (let epoch = 1; epoch <= epochs; epoch++)
    for (const samples of batches(shuffled(training, random), batch)) {
      const labels = labelsOf(samples);
      const { out: scores, backward } = await network.forward(inputOf(samples), true);
      const { loss, dscores } = crossEntropy(scores, labels);
      const { dparameters } = await backward(dscores);
      optimizer.step(dparameters, firstLearningRate * (1 - step / steps));

      step++;
      recent.loss += loss * labels.length;
      recent.correct += countCorrect(scores, labels);
      recent.examples += labels.length;
      if (step % STEPS_A_LINE > 0) continue;
      const meanLoss = (recent.loss / recent.examples).toFixed(3);
      const accuracy = percent(recent.correct / recent.examples);
      print(
        `epoch ${epoch}/${epochs}  step ${step}/${steps}  loss ${meanLoss}  accuracy ${accuracy}  requests ${client.requests}`,
      );
      recent = { loss: 0, correct: 0, examples: 0 };
    }

  const accuracy = await evaluate(network, heldOut, batch);
  return { accuracy, heldOut: heldOut.length, requests: client.requests };
}

async function prepared(preparation: Layer, samples: readonly Sample[], batch: number): Promise<Sample[]> {
  const all: Sample[] = [];
  for (const some of batches(samples, batch)) {
    const { out } = await preparation.forward(inputOf(some), false);
    unstack(out).forEach((x, n) => all.push({ x, label: some[n].label }));
  }
  return all;
}

async function evaluate(network: Layer, samples: readonly Sample[], batch: number): Promise<number> {
  let correct = 0;
  for (const some of batches(samples, batch)) {
    const { out: scores } = await network.forward(inputOf(some), false);
    correct += countCorrect(scores, labelsOf(some));
  }
  return correct / samples.length;
}

function* batches<Item>(items: readonly Item[], size: number): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}

function inputOf(samples: readonly Sample[]) {
  return stack(samples.map(({ x }) => x));
}

function labelsOf(samples: readonly Sample[]): number[] {
  return samples.map(({ label }) => label);
}

export function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`;
}
