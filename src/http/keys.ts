/** With keys every route but the probes wants one: `Authorization: Bearer`, as RFC 6750 has it. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { openKeysFile } from '../keys/file.js';
import { findKey, type Key } from '../keys/keys.js';
import { ProblemError } from './errors.js';
import { problem } from './problems.js';
import { isProbe } from './probes.js';

/** As RFC 9110, 11.4: the scheme in any case, then spaces, then the token. */
const BEARER = /^bearer +(\S+)$/i;

/**
 * @throws {Error} where the file cannot be used
 */
export function wantKeys(app: FastifyInstance, path: string): void {
  const file = openKeysFile(path, {
    changed: (keys) => {
      app.log.info({ keys: keys.map(({ name }) => name) }, 'keys read again');
    },
    failed: (error) => {
      app.log.error(error, 'the keys from before stay in force');
    },
  });
  app.addHook('onClose', (_app, done) => {
    file.close();
    done();
  });
  app.addHook('onRequest', (request, _reply, done) => {
    const result = isProbe(request) ? undefined : keyOf(request, file.current());
    if (typeof result === 'string') {
      // An error is named where a key came, and none where none did (RFC 6750, 3.1).
      const came = request.headers.authorization !== undefined;
      const challenge = `Bearer realm="layerd"${came ? ', error="invalid_token"' : ''}`;
      done(new ProblemError(problem('key-required', result), { 'www-authenticate': challenge }));
      return;
    }
    request.key = result;
    done();
  });
}

/** The key, or what is wrong. What came is not repeated: it may be somebody's key. */
function keyOf({ headers }: FastifyRequest, keys: readonly Key[]): Key | string {
  const { authorization } = headers;
  if (authorization === undefined) return 'no key came; expected Authorization: Bearer, and a key of this service';
  const shown = BEARER.exec(authorization)?.[1];
  if (shown === undefined) return 'Authorization is of another scheme; expected Bearer, and a key of this service';
  return findKey(keys, shown) ?? 'the key is none of this service; expected one that is in force';
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Of the client, where keys are wanted. */
    key?: Key | undefined;
  }
}
