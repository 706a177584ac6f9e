/** The forward and backward routes of each layer, made from its definition. */
import { BackwardAnswer, BackwardRequest, ForwardAnswer, ForwardRequest } from '../../../schemas/request.js';
import type { FastifyPluginCallback } from 'fastify';
import type { Layer } from '../../layers/definition.js';
import type { Send } from '../send.js';
import { createPost } from './call-route.js';

export const layerRoutes: FastifyPluginCallback<{ layers: readonly Layer[]; send: Send }> = (
  app,
  { layers, send },
  done,
) => {
  const post = createPost(app, send);
  for (const { name, reference, schemas } of layers) {
    const { inputs, options, outputs, upstream, gradients } = schemas;
    const example = reference.example;
    const forward = { layer: name, direction: 'forward' } as const;
    const forwardSchema = {
      body: { ...ForwardRequest(inputs, options), examples: [example.forward] },
      response: ForwardAnswer(outputs),
    };
    const summary = `${name}, forward. ${reference.summary}`;
    post(`/${name}`, forward, { ...forwardSchema, operationId: name, summary: `The same as /${name}/forward` });
    post(`/${name}/forward`, forward, { ...forwardSchema, operationId: `${name}_forward`, summary });
    post(
      `/${name}/backward`,
      { layer: name, direction: 'backward' },
      {
        operationId: `${name}_backward`,
        summary: `${name}, backward: gradients of inputs and parameters`,
        body: {
          ...BackwardRequest(upstream, inputs, options),
          examples: [{ forward: example.forward, ...example.backward }],
        },
        response: BackwardAnswer(gradients),
      },
    );
  }
  done();
};
