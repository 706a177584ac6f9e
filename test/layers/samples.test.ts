/** Besides random calls, every layer's sample has worked examples, and requests that are refused. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bodyOf, computation } from '../support/compute.js';
import { expectClose, TOLERANCE } from '../support/reference.js';
import { serveAll } from '../support/service.js';
import { samples } from './samples.js';

const service = serveAll();

describe.each(Object.entries(samples))('%s', (name, { examples = [], refusals = [] }) => {
  it('has worked examples and refusals, in its sample or in a separate test', () => {
    const hasTests = existsSync(new URL(`${name}.test.ts`, import.meta.url));
    const isComplete = hasTests || (examples.length > 0 && refusals.length > 0);
    expect(isComplete, `write examples and refusals in test/layers/samples/${name}.ts`).toBe(true);
  });

  it.each(examples)('computes $name', async ({ forward, answers, backward, gradients }) => {
    const layer = computation(name);
    const answer = await layer.forward(bodyOf(forward));
    expectClose(answer, answers, TOLERANCE.float64);
    const computed = await layer.backward(bodyOf({ session: answer.session, ...backward }));
    expect(Object.keys(computed)).toEqual(Object.keys(gradients));
    expectClose(computed, gradients, TOLERANCE.float64);
  });

  it.each(refusals)('refuses %j at %s: %s', async (forward, pointer, detail) => {
    const response = await service().client.post(`/${name}/forward`).send(forward);
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
    expect((response.body as { errors: object[] }).errors).toEqual([{ pointer, detail }]);
  });
});
