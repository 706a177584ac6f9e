/** The routes of every layer, made from its definition. */
import { BackwardAnswer, BackwardRequest, ForwardAnswer, ForwardRequest } from '../../../schemas/request.js';
import type { Layer } from '../../layers/definition.js';
import type { Post } from './posting.js';

export function layerRoutes(post: Post, layers: readonly Layer[]): void {
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
        summary: `${name}, backward: gradients of what forward was given`,
        body: {
          ...BackwardRequest(upstream, inputs, options),
          examples: [{ forward: example.forward, ...example.backward }],
        },
        response: BackwardAnswer(gradients),
      },
    );
  }
}
