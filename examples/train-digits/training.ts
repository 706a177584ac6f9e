/** Trains a classifier of handwritten digits: the service computes the layers, all else is here. */
import { Client, type Vector } from './client.js';
import { CLASSES, loadDigits, SIDE, type Sample } from './digits.js';
import { countCorrect, crossEntropy } from './loss.js';
import { Momentum } from './momentum.js';
import { forward, initialNetwork, rowsOf, type Network } from './network.js';
import { shuffled, uniform } from './random.js';

export interface Result {
  /** Fraction of the held-out digits that are recognised. */
  readonly accuracy: number;
  readonly heldOut: number;
  readonly requests: number;
}

const SEED = 1;
/** Images are pooled to half their sides: a quarter of the text in every step, and no less is recognised. */
const POOL = 2;
const INPUTS = (SIDE / POOL) ** 2;
const HIDDEN = 80;
const EPOCHS = 5;
const BATCH = 64;
const DROPOUT_RATE = 0.1;
const MOMENTUM = 0.9;
/** Falls in a line, to reach zero after the last step. */
const FIRST_LEARNING_RATE = 0.5;
const STEPS_A_LINE = 25;

/** A pooled image. */
interface Example {
  /** [INPUTS] */
  readonly x: Vector;
  readonly label: number;
}

/**
 * @param base where the service listens, as `http://127.0.0.1:8080`
 * @param print gets a line of progress now and then
 * @throws {Error} where the service does not answer, or refuses
 */
export async function train(base: string, print: (line: string) => void): Promise<Result> {
  const client = new Client(base);
  const digits = loadDigits(SEED);
  const training = await pooled(client, digits.training);
  const heldOut = await pooled(client, digits.heldOut);

  const network = initialNetwork({ I: INPUTS, H: HIDDEN, K: CLASSES }, SEED);
  const optimizer = new Momentum(MOMENTUM);
  const random = uniform(SEED);
  const steps = EPOCHS * Math.ceil(training.length / BATCH);
  let step = 0;
  let recent = { loss: 0, correct: 0, examples: 0 };
  for (let epoch = 1; epoch <= EPOCHS; epoch++)
    for (const batch of batches(shuffled(training, random))) {
      const labels = batch.map(({ label }) => label);
      const { scores, backward } = await forward(client, network, inputs(batch), {
        training: true,
        rate: DROPOUT_RATE,
        seed: step,
      });
      const { loss, dscores } = crossEntropy(scores, labels);
      const gradients = await backward(dscores);
      const learningRate = FIRST_LEARNING_RATE * (1 - step / steps);
      optimizer.step(rowsOf(network.parameters), rowsOf(gradients), learningRate);

      step++;
      recent.loss += loss * labels.length;
      recent.correct += countCorrect(scores, labels);
      recent.examples += labels.length;
      if (step % STEPS_A_LINE > 0) continue;
      const meanLoss = (recent.loss / recent.examples).toFixed(3);
      const accuracy = percent(recent.correct / recent.examples);
      print(
        `epoch ${epoch}/${EPOCHS}  step ${step}/${steps}  loss ${meanLoss}  accuracy ${accuracy}  requests ${client.requests}`,
      );
      recent = { loss: 0, correct: 0, examples: 0 };
    }

  const accuracy = await evaluate(client, network, heldOut);
  return { accuracy, heldOut: heldOut.length, requests: client.requests };
}

/** Averages of POOL × POOL pixels, as rows of inputs. */
async function pooled(client: Client, samples: readonly Sample[]): Promise<Example[]> {
  const examples: Example[] = [];
  for (const batch of batches(samples)) {
    const { out } = await client.post('pooling/forward', {
      x: batch.map(({ image }) => [image]),
      mode: 'average',
      kernel_size: POOL,
      session: false,
    });
    out.forEach(([plane], n) => examples.push({ x: plane.flat(), label: batch[n].label }));
  }
  return examples;
}

async function evaluate(client: Client, network: Network, examples: readonly Example[]): Promise<number> {
  let correct = 0;
  for (const batch of batches(examples)) {
    const { scores } = await forward(client, network, inputs(batch), { training: false });
    correct += countCorrect(
      scores,
      batch.map(({ label }) => label),
    );
  }
  return correct / examples.length;
}

function* batches<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += BATCH) yield items.slice(start, start + BATCH);
}

function inputs(batch: readonly Example[]): Vector[] {
  return batch.map(({ x }) => x);
}

export function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`;
}
