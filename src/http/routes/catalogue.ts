import { Type } from '@sinclair/typebox';
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import type { Layer } from '../../layers/definition.js';
import { catalogueEntry } from '../catalogue-entry.js';
import { ProblemError } from '../problems.js';
import { expectJsonAccepted } from '../negotiation.js';
import { responses } from '../response-schemas.js';

/** `GET /layers` and `GET /layers/{layer}`. */
export const catalogueRoutes: FastifyPluginCallbackTypebox<{
  layers: readonly Layer[];
  limits: Readonly<Record<string, number>>;
}> = (app, { layers, limits }, done) => {
  const entries = layers.map(catalogueEntry);
  const tags = ['catalogue'];

  app.get('/layers', {
    config: { constant: true },
    schema: {
      tags,
      operationId: 'layers',
      summary: 'List the layers: tensors, options, formulas, conventions, an example; and the limits in force',
      response: responses({ 200: Type.Object({ layers: Type.Array(Type.Object({})), limits: Type.Object({}) }) }, 406),
    },
    onRequest: expectJsonAccepted,
    handler: () => ({ layers: entries, limits }),
  });

  app.get('/layers/:layer', {
    config: { constant: true },
    schema: {
      tags,
      operationId: 'layer',
      summary: 'Get one layer',
      params: Type.Object({ layer: Type.String({ description: 'Name of the layer.', examples: [entries[0].layer] }) }),
      response: responses({ 200: Type.Object({ layer: Type.String(), limits: Type.Object({}) }) }, 404, 406),
    },
    onRequest: expectJsonAccepted,
    handler: (request) => {
      const entry = entries.find(({ layer }) => layer === request.params.layer);
      if (entry) return { ...entry, limits };
      const names = entries.map(({ layer }) => layer).join(', ');
      throw new ProblemError(
        'unknown-layer',
        `there is no layer ${JSON.stringify(request.params.layer)}; expected one of ${names}`,
      );
    },
  });
  done();
};
