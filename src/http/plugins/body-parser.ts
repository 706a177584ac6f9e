/** Reads request bodies as bytes. Routes with other media types call `readBody` in their parsers. */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { mediaTypes } from '../../codec/codecs.js';
import type { Format } from '../../calls/call.js';
import type { Pool } from '../../platform/buffer-pool.js';
import { inlineBytes } from '../../runtime/dispatch.js';
import { readBody } from '../body.js';

function parseBodies(app: FastifyInstance, options: { limitBytes: number; pool: Pool }, done: () => void): void {
  app.decorate('readBody', (request: FastifyRequest, payload: IncomingMessage, format: Format) =>
    readBody(payload, {
      ...options,
      sharedOverBytes: inlineBytes(format),
      alignedAt: 'protocol' in format ? (format.jsonBytes ?? 0) : 0,
      room: (bytes) => request.roomFor(bytes),
    }),
  );
  app.removeAllContentTypeParsers();
  for (const type of mediaTypes)
    app.addContentTypeParser(type, (request: FastifyRequest, payload: IncomingMessage) =>
      app.readBody(request, payload, { contentType: type, accept: type }),
    );
  done();
}

export default fp(parseBodies, { name: 'body-parser', dependencies: ['expect-continue', 'overload-protection'] });

declare module 'fastify' {
  interface FastifyInstance {
    /** Reads a body into memory that suits its format. */
    readBody(request: FastifyRequest, payload: IncomingMessage, format: Format): Promise<Buffer>;
  }
}
