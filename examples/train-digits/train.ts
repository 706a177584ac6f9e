/** The command: `node dist/examples/train-digits/train.js [http://127.0.0.1:8080] [--convolutional]`. */
import { parseArgs } from 'node:util';
import { convolutionalRecipe } from './convolutional.js';
import { linearRecipe } from './linear.js';
import { percent, train } from './training.js';

const start = performance.now();
try {
  const { values, positionals } = parseArgs({
    options: { convolutional: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const [base = 'http://127.0.0.1:8080'] = positionals;
  const recipe = values.convolutional ? convolutionalRecipe : linearRecipe;
  const { accuracy, heldOut, requests } = await train(base, recipe, console.log);
  const seconds = (performance.now() - start) / 1000;
  console.log(
    `${percent(accuracy)} of ${heldOut} held-out digits are recognised, after ${requests} requests in ${seconds.toFixed(0)} s`,
  );
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
