/** With a file of keys, every route except the probes requires a key: `Authorization: Bearer` (RFC 6750). */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { findKey, type Key } from '../../keys/keys.js';
import { isProbe } from '../probes.js';
import { ProblemError } from '../problems.js';

/** RFC 9110, 11.4: the scheme in any case, then spaces, then the token. */
const BEARER = /^bearer +(\S+)$/i;

/**
 * Without a file, no key is required.
 * @throws {Error} if the file cannot be used
 */
async function requireKeys(app: FastifyInstance, { file: path }: { file: string }): Promise<void> {
  if (path === '') return;
  // Loaded only if it is used.
  const { openKeysFile } = await import('../../keys/file.js');
  const file = openKeysFile(path, {
    changed: (keys) => {
      app.log.info({ keys: keys.map(({ name }) => name) }, 'API keys reloaded');
    },
    failed: (error) => {
      app.log.error(error, 'cannot reload the API keys; the previous ones remain valid');
    },
  });
  app.addHook('onClose', (_app, closed) => {
    file.close();
    closed();
  });
  app.addHook('onRequest', (request, _reply, next) => {
    const result = isProbe(request) ? undefined : keyOf(request, file.current());
    if (typeof result === 'string') {
      // The challenge names an error only if the request has credentials (RFC 6750, 3.1).
      const came = request.headers.authorization !== undefined;
      const challenge = `Bearer realm="layerd"${came ? ', error="invalid_token"' : ''}`;
      next(new ProblemError('key-required', result, { 'www-authenticate': challenge }));
      return;
    }
    request.key = result;
    next();
  });
}

export default fp(requireKeys, { name: 'authentication', dependencies: ['overload-protection'] });

/** The key, or what is wrong. The credentials are not repeated: they may be another service's key. */
function keyOf({ headers }: FastifyRequest, keys: readonly Key[]): Key | string {
  const { authorization } = headers;
  if (authorization === undefined) return 'Authorization is absent; expected Authorization: Bearer and a valid API key';
  const shown = BEARER.exec(authorization)?.[1];
  if (shown === undefined) return 'the scheme of Authorization is not Bearer; expected Bearer and a valid API key';
  return findKey(keys, shown) ?? 'the API key is not valid; expected a valid API key';
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The client's key, if keys are required. */
    key?: Key | undefined;
  }
}
