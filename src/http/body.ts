/** Reads a request's body into one buffer of its length: no list of chunks, and no second copy of them. */
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { discard } from '../memory/discard.js';
import { LEAST_BYTES, type Pool } from '../memory/pool.js';
import { ProblemError } from './errors.js';
import { problem } from './problems.js';

export interface BodyOptions {
  readonly limitBytes: number;
  /** Bodies over this size go to a worker thread, and so into memory that threads share. */
  readonly sharedOverBytes: number;
  /** Where in the body the first number lies that is read in its place; 0 where none does. */
  readonly alignedAt?: number;
  /** Where a body's memory comes from, and goes back to when the request has been answered. */
  readonly pool: Pool;
}

export function readBody(
  request: IncomingMessage,
  { limitBytes, sharedOverBytes, alignedAt = 0, pool }: BodyOptions,
): Promise<Buffer> {
  const declared = request.headers['content-length'];
  const tooLarge = (came: string) =>
    new ProblemError(problem('body-too-large', `the body has ${came}; at most ${limitBytes} bytes are read here`));
  if (declared !== undefined && Number(declared) > limitBytes) return Promise.reject(tooLarge(`${declared} bytes`));
  const blanks = (ALIGNMENT - (alignedAt % ALIGNMENT)) % ALIGNMENT;
  const take = (bytes: number) => pool.take(blanks + bytes, bytes > sharedOverBytes).subarray(blanks);
  // What a socket gives is a copy of its own that nobody else has; what a test injects is the test's.
  const ownsChunks = request.socket instanceof Socket;

  return new Promise((resolve, reject) => {
    let buffer = take(declared === undefined ? FIRST_BYTES : Number(declared));
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      if (length + chunk.length > limitBytes) {
        // What still comes is nobody's: whoever answers decides how it is taken in.
        request.removeAllListeners('data');
        pool.give(buffer.buffer);
        reject(tooLarge('more'));
        return;
      }
      if (length + chunk.length > buffer.length) {
        // A length that was not declared: twice as much room each time copies each byte twice at the most.
        const larger = take(Math.min(limitBytes, Math.max(2 * buffer.length, length + chunk.length)));
        buffer.copy(larger, 0, 0, length);
        pool.give(buffer.buffer);
        buffer = larger;
      }
      length += chunk.copy(buffer, length);
      if (ownsChunks && chunk.length >= LEAST_BYTES && chunk.length === chunk.buffer.byteLength)
        discard(chunk.buffer as ArrayBuffer);
    });
    request.on('end', () => {
      resolve(buffer.subarray(0, length));
    });
    request.on('error', reject);
  });
}

const FIRST_BYTES = 64 * 1024;

/** Numbers of any dtype can be read in their place at a multiple of this. */
const ALIGNMENT = 8;
