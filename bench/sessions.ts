/**
 * `npm run bench:sessions`: the table of docs/scaling.md, with the bytes of a session and of a training step per layer.
 */
import { bytesOfStep, formatBytes } from './bytes.js';
import { cases } from './cases.js';

const HEAD = [
  '| layer and shape | session, float32 | float64 | to and from Redis a step, float32 | HTTP a step, float32 in safetensors | float64 in JSON |',
  '|---|---|---|---|---|---|',
];

for (const line of HEAD) console.log(line);
for (const given of cases) {
  const [single, double] = [bytesOfStep(given, 'float32'), bytesOfStep(given, 'float64')];
  const cells = [
    single.session,
    double.session,
    2 * single.session,
    single.http['application/vnd.safetensors'],
    double.http['application/json'],
  ];
  console.log(`| ${given.name} | ${cells.map(formatBytes).join(' | ')} |`);
}
