/** Reads a request's body into one buffer of its length: no list of chunks, and no second copy of them. */
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { discard } from '../memory/discard.js';
import { LEAST_BYTES, type Pool } from '../memory/pool.js';
import { codingOf, type Coding } from './compression.js';
import { ProblemError } from './errors.js';
import { problem } from './problems.js';

export interface BodyOptions {
  /** Of the body as it comes, and of what it is when it has been decompressed. */
  readonly limitBytes: number;
  /** Bodies over this size go to a worker thread, and so into memory that threads share. */
  readonly sharedOverBytes: number;
  /** Where in the body the first number lies that is read in its place; 0 where none does. */
  readonly alignedAt?: number;
  /** Where a body's memory comes from, and goes back to when the request has been answered. */
  readonly pool: Pool;
  /** Takes room for so many bytes more of this request, or says why there is none. */
  readonly room: (bytes: number) => Error | undefined;
}

/**
 * @throws {ProblemError} 413 for a body that is too large, 415 for one that is compressed as nobody reads it here, 400
 * for one that is not compressed as it says; and what `room` says
 */
export async function readBody(request: IncomingMessage, options: BodyOptions): Promise<Buffer> {
  const { limitBytes } = options;
  const coding = codingOf(request.headers['content-encoding']);
  const declared = request.headers['content-length'];
  if (declared !== undefined && Number(declared) > limitBytes) throw tooLarge(`${declared} bytes`, limitBytes);
  if (coding) return readCompressed(request, coding, new Gathering(FIRST_BYTES, options));
  return readPlain(request, new Gathering(declared === undefined ? FIRST_BYTES : Number(declared), options));
}

const FIRST_BYTES = 64 * 1024;

function tooLarge(came: string, limitBytes: number): ProblemError {
  return new ProblemError(problem('body-too-large', `the body has ${came}; at most ${limitBytes} bytes are read here`));
}

function readPlain(request: IncomingMessage, body: Gathering): Promise<Buffer> {
  // What a socket gives is a copy of its own that nobody else has; what a test injects is the test's.
  const ownsChunks = request.socket instanceof Socket;
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      // What still comes is nobody's: whoever answers decides how it is taken in.
      request.removeAllListeners('data');
      body.giveUp();
      reject(error);
    };
    request.on('data', (chunk: Buffer) => {
      const refused = body.append(chunk, 'more');
      if (refused) fail(refused);
      else if (ownsChunks && chunk.length >= LEAST_BYTES && chunk.length === chunk.buffer.byteLength)
        discard(chunk.buffer as ArrayBuffer);
    });
    request.on('end', () => {
      resolve(body.end());
    });
    request.on('error', fail);
  });
}

/** Piece by piece: what is over the limit is never there at once, however small the body that makes it. */
function readCompressed(request: IncomingMessage, { name, decoder }: Coding, body: Gathering): Promise<Buffer> {
  let came = 0;
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      request.unpipe(decoder);
      request.removeAllListeners('data');
      decoder.removeAllListeners('data');
      decoder.destroy();
      body.giveUp();
      reject(error);
    };
    const malformed = (why: string) => {
      fail(
        new ProblemError(
          problem('invalid-encoding', `the body's Content-Encoding is ${name}; its bytes are not: ${why}`),
        ),
      );
    };
    request.on('data', (chunk: Buffer) => {
      came += chunk.length;
      // A stream can go on for ever without giving anything.
      if (came > body.limitBytes) fail(tooLarge('more', body.limitBytes));
    });
    // The decoder's chunks may share memory: none is discarded.
    decoder.on('data', (chunk: Buffer) => {
      const refused = body.append(chunk, `more when it is decompressed (${name})`);
      if (refused) fail(refused);
    });
    decoder.on('end', () => {
      if (decoder.bytesWritten < came) malformed(`bytes follow its end`);
      else resolve(body.end());
    });
    decoder.on('error', ({ message }: Error) => {
      malformed(message.toLowerCase());
    });
    request.on('error', fail);
    request.pipe(decoder);
  });
}

/** A body that is being read. */
class Gathering {
  readonly limitBytes: number;
  private buffer: Buffer;
  private length = 0;
  private gaveUp = false;

  constructor(
    firstBytes: number,
    private readonly options: BodyOptions,
  ) {
    this.limitBytes = options.limitBytes;
    this.buffer = this.take(firstBytes);
  }

  /** What is wrong, if the chunk cannot be had: `came` says what did, where it is over the limit. */
  append(chunk: Buffer, came: string): Error | undefined {
    const length = this.length + chunk.length;
    if (length > this.limitBytes) return tooLarge(came, this.limitBytes);
    const refused = this.options.room(chunk.length);
    if (refused) return refused;
    if (length > this.buffer.length) {
      // A length that was not declared: twice as much room each time copies each byte twice at the most.
      const larger = this.take(Math.min(this.limitBytes, Math.max(2 * this.buffer.length, length)));
      this.buffer.copy(larger, 0, 0, this.length);
      this.options.pool.give(this.buffer.buffer);
      this.buffer = larger;
    }
    this.length += chunk.copy(this.buffer, this.length);
    return undefined;
  }

  end(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  /** Its memory goes back, once. */
  giveUp(): void {
    if (!this.gaveUp) this.options.pool.give(this.buffer.buffer);
    this.gaveUp = true;
  }

  private take(bytes: number): Buffer {
    const { alignedAt = 0, pool, sharedOverBytes } = this.options;
    const blanks = (ALIGNMENT - (alignedAt % ALIGNMENT)) % ALIGNMENT;
    return pool.take(blanks + bytes, bytes > sharedOverBytes).subarray(blanks);
  }
}

/** Numbers of any dtype can be read in their place at a multiple of this. */
const ALIGNMENT = 8;
