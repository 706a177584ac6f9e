/** Reads a request's body into one buffer of its length: no list of chunks, and no second copy of them. */
import type { IncomingMessage } from 'node:http';
import { ProblemError } from './errors.js';
import { problem } from './problems.js';

export interface BodyOptions {
  readonly limitBytes: number;
  /** Bodies over this size go to a worker thread, and so into memory that threads share. */
  readonly sharedOverBytes: number;
}

export function readBody(request: IncomingMessage, { limitBytes, sharedOverBytes }: BodyOptions): Promise<Buffer> {
  const declared = request.headers['content-length'];
  const tooLarge = (came: string) =>
    new ProblemError(problem('body-too-large', `the body has ${came}; at most ${limitBytes} bytes are read here`));
  if (declared !== undefined && Number(declared) > limitBytes) return Promise.reject(tooLarge(`${declared} bytes`));
  const allocate = (bytes: number) =>
    bytes > sharedOverBytes ? Buffer.from(new SharedArrayBuffer(bytes)) : Buffer.allocUnsafe(bytes);

  return new Promise((resolve, reject) => {
    let buffer = allocate(declared === undefined ? FIRST_BYTES : Number(declared));
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      if (length + chunk.length > limitBytes) {
        // What still comes is nobody's: whoever answers decides how it is taken in.
        request.removeAllListeners('data');
        buffer = Buffer.alloc(0);
        reject(tooLarge('more'));
        return;
      }
      if (length + chunk.length > buffer.length) {
        // A length that was not declared: twice as much room each time copies each byte twice at the most.
        const larger = allocate(Math.min(limitBytes, Math.max(2 * buffer.length, length + chunk.length)));
        buffer.copy(larger, 0, 0, length);
        buffer = larger;
      }
      length += chunk.copy(buffer, length);
    });
    request.on('end', () => {
      resolve(buffer.subarray(0, length));
    });
    request.on('error', reject);
  });
}

const FIRST_BYTES = 64 * 1024;
