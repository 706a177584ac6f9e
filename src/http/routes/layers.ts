/** The routes of every layer, made from its definition. */
import type { FastifyInstance } from 'fastify';
import { BackwardAnswer, BackwardRequest, ForwardAnswer, ForwardRequest } from '../../../schemas/request.js';
import type { Answer } from '../../compute/call.js';
import type { Layer } from '../../layers/definition.js';
import type { Pool } from '../../memory/pool.js';
import { responses } from '../documentation.js';
import type { LayerCall } from '../metrics.js';
import { acceptedType, bodyBytes, contentTypeOf, expectTensorsAccepted, giveBack, sendPieces } from '../negotiation.js';

export function layerRoutes(app: FastifyInstance, layers: readonly Layer[], answer: Answer, pool: Pool): void {
  for (const { name, reference, schemas } of layers) {
    const { inputs, options, outputs, upstream, gradients } = schemas;
    const example = reference.example;
    const post = (
      url: string,
      direction: 'forward' | 'backward',
      schema: { operationId: string; summary: string; body: object; response: object },
    ) => {
      app.post(url, {
        schema: {
          tags: [name],
          ...schema,
          response: responses({ 200: schema.response }, 400, 404, 406, 409, 413, 415, 422),
        },
        // The computation checks the body against these schemas itself: tensors are read once, straight into typed
        // arrays, so Fastify sees bytes alone.
        validatorCompiler: () => () => true,
        onRequest: expectTensorsAccepted,
        handler: async (request, reply) => {
          const contentType = contentTypeOf(request);
          const accept = acceptedType(request, contentType);
          const body = bodyBytes(request);
          const call: LayerCall = { layer: name, direction };
          request.layerCall = call;
          const { pieces, account } = await answer({ ...call, contentType, accept, body, owner: request.key?.owner });
          call.account = account;
          giveBack(pool, request, reply, [body, ...pieces]);
          return sendPieces(reply, accept, pieces);
        },
      });
    };
    const forwardSchema = {
      body: { ...ForwardRequest(inputs, options), examples: [example.forward] },
      response: ForwardAnswer(outputs),
    };
    const summary = `${name}, forward. ${reference.summary}`;
    post(`/${name}`, 'forward', { ...forwardSchema, operationId: name, summary: `The same as /${name}/forward` });
    post(`/${name}/forward`, 'forward', { ...forwardSchema, operationId: `${name}_forward`, summary });
    post(`/${name}/backward`, 'backward', {
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
