/** The media types of request and response bodies. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { codecs, mediaTypes, type MediaType } from '../codec/codecs.js';
import { inferenceTypes } from '../codec/inference/request.js';
import { Refusal } from '../refusal.js';
import { isInference } from './problem-response.js';
import { ProblemError } from './problems.js';

export const JSON_TYPE = 'application/json';

/** The body of an Open Inference request or response whose JSON part is followed by bytes of tensors. */
export const [, BINARY_TYPE] = inferenceTypes;

/** The header with the length, in bytes, of the JSON part that precedes binary tensors. */
export const JSON_LENGTH_HEADER = 'inference-header-content-length';

/** The forms in which clients name a type: some add the charset, which for JSON is always UTF-8. */
const asAsked = (type: string): string[] => (type === JSON_TYPE ? [type, `${type}; charset=utf-8`] : [type]);

export type Hook = (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void;

/** Whether the most specific of Accept's ranges that include this type has a weight of 0 (RFC 9110, 12.5.1). */
export function excludes(accept: string, type: string): boolean {
  const all = accept
    .toLowerCase()
    .split(',')
    .map((range) => range.split(';').map((part) => part.trim()));
  const including = [type, `${type.split('/', 1)[0]}/*`, '*/*'].map((wanted) => all.filter(([of]) => of === wanted));
  const weightless = ([, ...parameters]: readonly string[]) => parameters.some((each) => /^q=0(\.0*)?$/.test(each));
  return including.find(({ length }) => length > 0)?.every(weightless) ?? false;
}

/** An onRequest hook: 406 unless the client accepts one of the types, or a type that only errors have. */
export function expectAccepted(types: readonly string[], errorType: readonly string[] = []): Hook {
  const answers = types.flatMap(asAsked);
  return (request, _reply, done) => {
    const accepts = request.accepts();
    const onlyErrors = () =>
      errorType.length > 0 &&
      accepts.type([...errorType]) !== false &&
      !excludes(request.headers.accept ?? '', types[0]);
    if (accepts.type(answers) || onlyErrors()) done();
    else {
      const accept = request.headers.accept ?? 'absent';
      const detail = `Accept is ${accept}; expected it to include ${types.join(' or ')}`;
      done(new ProblemError('not-acceptable', detail));
    }
  };
}

export function unsupportedMediaType({ url, headers }: FastifyRequest): ProblemError {
  const expected = isInference(url) ? `${inferenceTypes.join(' or ')}, or none` : mediaTypes.join(' or ');
  const came = headers['content-type'] ?? 'absent';
  const detail = `the body's Content-Type is ${came === '' ? 'empty' : came}; expected ${expected}`;
  return new ProblemError('unsupported-media-type', detail);
}

export const expectJsonAccepted = expectAccepted([JSON_TYPE]);

/** For routes whose responses carry tensors. */
export const expectTensorsAccepted = expectAccepted(mediaTypes);

/** The media type of the body; Fastify has already refused unsupported ones. */
export function contentTypeOf({ headers }: FastifyRequest): MediaType {
  const [essence] = (headers['content-type'] ?? JSON_TYPE).split(';', 1);
  const type = essence.trim().toLowerCase();
  return type in codecs ? (type as MediaType) : JSON_TYPE;
}

/** The media type of the response: the one that Accept prefers, or the request's own if it has no preference. */
export function acceptedType(request: FastifyRequest, own: MediaType): MediaType {
  const answers = [own, ...mediaTypes.filter((type) => type !== own)].flatMap(asAsked);
  const best = request.accepts().type(answers);
  return mediaTypes.find((type) => best !== false && asAsked(type).includes(best as string)) ?? own;
}

/**
 * The bytes of the body. Fastify parses no body if the request has neither Content-Type nor body.
 * @throws {Refusal} invalid-json
 */
export function bodyBytes(request: FastifyRequest): Buffer {
  if (Buffer.isBuffer(request.body)) return request.body;
  throw new Refusal('invalid-json', 'the body is empty; expected a JSON object');
}
