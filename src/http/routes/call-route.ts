/** Routes that make a call. Fastify handles their bodies as bytes; the codecs read and write them. */
import type { FastifyInstance } from 'fastify';
import type { Call } from '../../calls/call.js';
import { acceptedType, bodyBytes, contentTypeOf, expectTensorsAccepted } from '../negotiation.js';
import { responses, tensorContent } from '../response-schemas.js';
import type { Send } from '../send.js';

interface CallSchema {
  readonly operationId: string;
  readonly summary: string;
  readonly body: object;
  readonly response: object;
}

/** @returns a function that adds a route to the app */
export function createPost(app: FastifyInstance, send: Send) {
  return (url: string, call: Pick<Call, 'layer' | 'direction'>, schema: CallSchema): void => {
    app.post(url, {
      schema: {
        tags: [call.layer],
        ...schema,
        body: tensorContent(schema.body),
        response: responses({ 200: tensorContent(schema.response) }, 400, 404, 406, 409, 413, 415, 422),
      },
      // The computation checks the body against these schemas: tensors are read once, straight into typed arrays.
      validatorCompiler: () => () => true,
      onRequest: expectTensorsAccepted,
      handler: (request, reply) => {
        const contentType = contentTypeOf(request);
        const accept = acceptedType(request, contentType);
        return send(request, reply, { ...call, contentType, accept, body: bodyBytes(request) });
      },
    });
  };
}
