/** Backward over the Open Inference Protocol, with sessions and nested requests as parameters. */
import { describe, expect, it } from 'vitest';
import { inferenceOf, inferring, inJson, expectRefused, type Sent } from '../../support/inference.js';
import type { Refused } from '../../support/problem.js';
import { good, type Body } from '../../support/requests.js';
import { call, serveAll } from '../../support/service.js';

const service = serveAll();
const { send, infer } = inferring(service);

describe('backward', () => {
  const { forward, backward } = good.linear;
  const of = (request: Body, change: object = {}) =>
    inJson({ ...inferenceOf('linear', request, 'float64'), ...change });

  it('refuses an output that is not returned, and keeps the session that it would have released', async () => {
    const { session } = await call(service(), 'linear', { ...forward, bias: undefined });
    const request = { session, release: true, ...backward };
    const outputs = [{ name: 'dx' }, { name: 'dbias' }];
    await expectRefused(await send('linear_backward/infer', of(request, { outputs })), {
      status: 422,
      type: 'value-mismatch',
      says: '/outputs/1 asks for dbias; expected one of dx, dweight, which this request returns',
      at: ['/outputs/1'],
    });
    const answer = await infer('linear_backward', of(request, { outputs: outputs.slice(0, 1) }));
    expect(answer.outputs.map(({ name }) => name)).toEqual(['dx']);
    await expectUnknown(await send('linear_backward/infer', of(request)));
  });

  it('creates no session if forward is asked for an output that it does not return', async () => {
    const before = await service().client.get('/metrics');
    const request = inferenceOf('dropout', { ...good.dropout.forward, training: false }, 'float64');
    await expectRefused(await send('dropout_forward/infer', inJson({ ...request, outputs: [{ name: 'mask' }] })), {
      status: 422,
      type: 'value-mismatch',
      says: '/outputs/0 asks for mask; expected one of out, which this request returns',
      at: ['/outputs/0'],
    });
    const sessions = ({ text }: { text: string }) => /^layerd_sessions (\d+)$/m.exec(text)?.[1];
    expect(sessions(await service().client.get('/metrics'))).toBe(sessions(before));
  });

  it.each<[string, Body, Refused]>([
    [
      'neither session nor forward',
      backward,
      {
        status: 400,
        type: 'invalid-request',
        says: /^neither parameter "session" nor inputs "forward\.…" is present/,
        at: ['/parameters'],
      },
    ],
    [
      'both',
      { session: 'x'.repeat(32), forward, ...backward },
      {
        status: 400,
        type: 'invalid-request',
        says: /^parameter "session" and inputs "forward\.…" are both present/,
        at: ['/inputs/0'],
      },
    ],
    [
      'no upstream gradient',
      { forward },
      { status: 400, type: 'invalid-request', says: 'input "dout" is missing', at: ['/inputs'] },
    ],
    [
      'an unknown tensor inside',
      { forward: { ...forward, gamma: 1 }, ...backward },
      {
        status: 400,
        type: 'invalid-request',
        says: /^parameter "forward\.gamma" is unknown; expected one of forward\.dtype, forward\.session$/,
        at: ['/parameters/forward.gamma'],
      },
    ],
    [
      'a missing tensor inside',
      { forward: { x: forward.x }, ...backward },
      { status: 400, type: 'invalid-request', says: 'input "forward.weight" is missing', at: ['/inputs'] },
    ],
    [
      'shapes inside that do not fit',
      { forward: { ...forward, weight: [[1]] }, ...backward },
      { status: 422, type: 'shape-mismatch', says: /^weight has shape \[1, 1\]/, at: ['/inputs/1'] },
    ],
    [
      'a session that is not there',
      { session: 'x'.repeat(32), ...backward },
      { status: 404, type: 'unknown-session', says: /^there is no such session/, at: ['/parameters/session'] },
    ],
  ])('reports the position in the request: %s', async (_what, request, expected) => {
    await expectRefused(await send('linear_backward/infer', of(request)), expected);
  });

  it('refuses a session of another layer', async () => {
    const { session } = await call(service(), 'dropout', good.dropout.forward);
    await expectRefused(await send('linear_backward/infer', of({ session, ...backward })), {
      status: 409,
      type: 'session-of-another-layer',
      says: /^the session belongs to dropout; expected a session of linear/,
      at: ['/parameters/session'],
    });
  });

  it('refuses a parameter that is both a name and the prefix of a nested request', async () => {
    const request = inferenceOf('linear', { forward, ...backward }, 'float64');
    const sent = await send('linear_backward/infer', inJson({ ...request, parameters: { forward: 'x' } }));
    await expectRefused(sent, {
      status: 400,
      type: 'invalid-request',
      says: 'forward and forward.… are both present; expected one of the two',
      at: ['/parameters/forward'],
    });
  });
});

async function expectUnknown(sent: Sent): Promise<void> {
  const says = /^there is no such session/;
  await expectRefused(sent, { status: 404, type: 'unknown-session', says, at: ['/parameters/session'] });
}
