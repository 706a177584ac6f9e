/** The routes of every layer, made from its definition. */
import type { FastifyInstance } from 'fastify';
import { BackwardAnswer, BackwardRequest, ForwardAnswer, ForwardRequest } from '../../../schemas/request.js';
import type { Fields } from '../../codec/fields.js';
import { parseJson } from '../../codec/json/read.js';
import { encodeJson } from '../../codec/json/write.js';
import type { Computation } from '../../compute/computation.js';
import { responses } from '../documentation.js';
import { bodyBytes, expectJsonAccepted, JSON_TYPE } from '../negotiation.js';

export function layerRoutes(app: FastifyInstance, computations: readonly Computation[]): void {
  for (const { layer, forward, backward } of computations) {
    const { name, reference, schemas } = layer;
    const { inputs, options, outputs, upstream, gradients } = schemas;
    const example = reference.example;
    const post = (
      url: string,
      compute: (body: unknown) => Promise<Fields>,
      schema: { operationId: string; summary: string; body: object; response: object },
    ) => {
      app.post(url, {
        schema: {
          tags: [name],
          ...schema,
          response: responses({ 200: schema.response }, 400, 404, 406, 409, 413, 415, 422, 503),
        },
        // The computation checks the body against these schemas itself: tensors are read once, straight into typed
        // arrays, so Fastify sees bytes alone.
        validatorCompiler: () => () => true,
        onRequest: expectJsonAccepted,
        handler: async (request, reply) => {
          const answer = encodeJson(await compute(parseJson(bodyBytes(request))));
          return reply.type(JSON_TYPE).send(answer);
        },
      });
    };
    const forwardSchema = {
      body: { ...ForwardRequest(inputs, options), examples: [example.forward] },
      response: ForwardAnswer(outputs),
    };
    const summary = `${name}, forward. ${reference.summary}`;
    post(`/${name}`, forward, { ...forwardSchema, operationId: name, summary: `The same as /${name}/forward` });
    post(`/${name}/forward`, forward, { ...forwardSchema, operationId: `${name}_forward`, summary });
    post(`/${name}/backward`, backward, {
      operationId: `${name}_backward`,
      summary: `${name}, backward: gradients of what forward was given`,
      body: {
        ...BackwardRequest(upstream, inputs, options),
        examples: [{ forward: example.forward, ...example.backward }],
      },
      response: BackwardAnswer(gradients),
    });
  }
}
