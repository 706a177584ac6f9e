import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import { SessionAnswer, SessionParams, SessionQuery } from '../../../schemas/session.js';
import type { Fields } from '../../codec/fields.js';
import { encodeJson } from '../../codec/json/write.js';
import { Refusal } from '../../refusal.js';
import type { HeldSession, SessionStore } from '../../sessions/store.js';
import { dtypeOf } from '../../tensor/tensor.js';
import { expectJsonAccepted, JSON_TYPE } from '../negotiation.js';
import { responses } from '../response-schemas.js';

/** `GET` and `DELETE /sessions/{token}`. Inspecting a session does not extend its life. */
export const sessionRoutes: FastifyPluginCallbackTypebox<{ sessions: SessionStore }> = (app, { sessions }, done) => {
  const tags = ['sessions'];
  const unknown = () =>
    new Refusal(
      'unknown-session',
      `there is no such session; a session expires ${sessions.ttlMs / 1000} s after its last use`,
    );

  app.get('/sessions/:token', {
    schema: {
      tags,
      operationId: 'session',
      summary: 'Inspect a session',
      params: SessionParams,
      querystring: SessionQuery,
      response: responses({ 200: SessionAnswer }, 400, 404, 406, 503),
    },
    onRequest: expectJsonAccepted,
    handler: async (request, reply) => {
      const session = await sessions.inspect(request.params.token, request.key?.owner);
      if (!session) throw unknown();
      return reply.type(JSON_TYPE).send(encodeJson(shown(session, request.query.values === 'true')));
    },
  });

  app.delete('/sessions/:token', {
    schema: {
      tags,
      operationId: 'forget_session',
      summary: 'Delete a session',
      params: SessionParams,
      response: responses({ 204: Type.Null({ description: 'The session is deleted.' }) }, 404, 503),
    },
    handler: async (request, reply) => {
      if (!(await sessions.delete(request.params.token, request.key?.owner))) throw unknown();
      return reply.code(204).send(null);
    },
  });
  done();
};

function shown({ layer, created, expires, bytes, tensors }: HeldSession, withValues: boolean): Fields {
  const shownTensors = Object.entries(tensors).map(([name, tensor]) => [
    name,
    { dtype: dtypeOf(tensor.data), shape: tensor.shape, ...(withValues ? { values: tensor } : {}) },
  ]);
  return {
    layer,
    created: new Date(created).toISOString(),
    expires: new Date(expires).toISOString(),
    bytes,
    tensors: Object.fromEntries(shownTensors) as Fields,
  };
}
