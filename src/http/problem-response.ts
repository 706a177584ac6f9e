/** How a problem is sent: as problem details (RFC 9457), or as an error of the Open Inference Protocol. */
import type { FastifyReply } from 'fastify';
import { PROBLEM_JSON, type Problem } from './problems.js';

export function sendProblem(reply: FastifyReply, problem: Problem, retryAfterSeconds?: number): FastifyReply {
  if (retryAfterSeconds !== undefined) void reply.header('retry-after', retryAfterSeconds);
  const { url, headers } = reply.request;
  const { type, body } = formatProblem(problem, { url, accept: headers.accept });
  // Bytes: Fastify would add a charset to a string.
  return reply.code(problem.status).type(type).send(Buffer.from(body));
}

/** The parts of a request's head that decide how a problem is written. */
export interface Head {
  readonly url: string;
  readonly accept: string | undefined;
}

/**
 * Problem details; under the paths of the Open Inference Protocol, that protocol's error object, unless the client asks
 * for problem details: KServe's client reads no other media type, and Triton's Java client no other fields.
 */
export function formatProblem(
  problem: Problem,
  { url, accept = '' }: Head,
): { readonly type: string; readonly body: string } {
  if (!isInference(url) || ASKS_FOR_PROBLEM.test(accept)) return { type: PROBLEM_JSON, body: JSON.stringify(problem) };
  return { type: 'application/json', body: JSON.stringify({ error: problem.detail }) };
}

/** Whether a path belongs to the Open Inference Protocol. */
export function isInference(url: string): boolean {
  return /^\/v2(?![^/?])/.test(url);
}

/** An Accept header that names the type with a weight over 0; a wildcard does not ask for it. */
const ASKS_FOR_PROBLEM = /(?:^|,)\s*application\/problem\+json\s*(?:,|$|;(?!\s*q\s*=\s*0(?:\.0*)?\s*(?:,|$)))/i;
