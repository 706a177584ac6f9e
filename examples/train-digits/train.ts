/** The command: `node dist/examples/train-digits/train.js [http://127.0.0.1:8080]`. */
import { percent, train } from './training.js';

const [base = 'http://127.0.0.1:8080'] = process.argv.slice(2);
const start = performance.now();
try {
  const { accuracy, heldOut, requests } = await train(base, console.log);
  const seconds = (performance.now() - start) / 1000;
  console.log(
    `${percent(accuracy)} of ${heldOut} held-out digits are recognised, after ${requests} requests in ${seconds.toFixed(0)} s`,
  );
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
