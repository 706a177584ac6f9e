import { Type } from '@sinclair/typebox';
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import type { Layer } from '../../layers/definition.js';
import { catalogueEntry } from '../catalogue.js';
import { responses } from '../documentation.js';
import { ProblemError } from '../errors.js';
import { expectJsonAccepted } from '../negotiation.js';
import { problem } from '../problems.js';

/** `GET /layers` and `GET /layers/{layer}`. */
export const catalogueRoutes: FastifyPluginCallbackTypebox<{
  layers: readonly Layer[];
  limits: Readonly<Record<string, number>>;
}> = (app, { layers, limits }, done) => {
  const entries = layers.map(catalogueEntry);
  const tags = ['catalogue'];

  app.get('/layers', {
    schema: {
      tags,
      operationId: 'layers',
      summary: 'Every layer: tensors, options, formulas, conventions, an example; and the limits in force here',
      response: responses({ 200: Type.Object({ layers: Type.Array(Type.Object({})), limits: Type.Object({}) }) }, 406),
    },
    onRequest: expectJsonAccepted,
    handler: () => ({ layers: entries, limits }),
  });

  app.get('/layers/:layer', {
    schema: {
      tags,
      operationId: 'layer',
      summary: 'One layer',
      params: Type.Object({ layer: Type.String({ description: 'Its name.', examples: [entries[0].layer] }) }),
      response: responses({ 200: Type.Object({ layer: Type.String(), limits: Type.Object({}) }) }, 404, 406),
    },
    onRequest: expectJsonAccepted,
    handler: (request) => {
      const entry = entries.find(({ layer }) => layer === request.params.layer);
      if (entry) return { ...entry, limits };
      const names = entries.map(({ layer }) => layer).join(', ');
      throw new ProblemError(
        problem('unknown-layer', `there is no layer ${JSON.stringify(request.params.layer)}; expected one of ${names}`),
      );
    },
  });
  done();
};
