/** A route that carries tensors: bytes in, bytes out, by the codecs and not by Fastify. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { MediaType } from '../../codec/codecs.js';
import type { Answer, Call } from '../../compute/call.js';
import type { Pool } from '../../memory/pool.js';
import { responses } from '../documentation.js';
import type { LayerCall } from '../metrics.js';
import { acceptedType, bodyBytes, contentTypeOf, expectTensorsAccepted, giveBack, sendPieces } from '../negotiation.js';

export interface PostSchema {
  readonly operationId: string;
  readonly summary: string;
  readonly body: object;
  readonly response: object;
}

export type Post = (url: string, call: Pick<Call, 'layer' | 'direction'>, schema: PostSchema) => void;

/** Computes, and sends what came out. */
export type Send = (
  request: FastifyRequest,
  reply: FastifyReply,
  call: Pick<Call, 'layer' | 'direction' | 'body'> & { readonly contentType: MediaType },
) => Promise<FastifyReply>;

export function sending(answer: Answer, pool: Pool): Send {
  return async (request, reply, call) => {
    const accept = acceptedType(request, call.contentType);
    const layerCall: LayerCall = { layer: call.layer, direction: call.direction };
    request.layerCall = layerCall;
    const { pieces, account } = await answer({ ...call, accept, owner: request.key?.owner });
    if (account) layerCall.account = account;
    giveBack(pool, request, reply, [call.body, ...pieces]);
    return sendPieces(reply, accept, pieces);
  };
}

export function posting(app: FastifyInstance, send: Send): Post {
  return (url, call, schema) => {
    app.post(url, {
      schema: {
        tags: [call.layer],
        ...schema,
        response: responses({ 200: schema.response }, 400, 404, 406, 409, 413, 415, 422),
      },
      // The computation checks the body against these schemas itself: tensors are read once, straight into typed
      // arrays, so Fastify sees bytes alone.
      validatorCompiler: () => () => true,
      onRequest: expectTensorsAccepted,
      handler: (request, reply) =>
        send(request, reply, { ...call, contentType: contentTypeOf(request), body: bodyBytes(request) }),
    });
  };
}
