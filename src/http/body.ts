/** Reads a request body into one buffer, of its length if that is declared, without keeping a list of chunks. */
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { discard } from '../platform/discard.js';
import { LEAST_BYTES, type Pool } from '../platform/buffer-pool.js';
import { count } from '../refusal.js';
import { codingOf, type Coding } from './content-encoding.js';
import { askForBody } from './plugins/expect-continue.js';
import { ProblemError } from './problems.js';

export interface BodyOptions {
  /** The limit for the body as sent, and for the decompressed body. */
  readonly limitBytes: number;
  /** Bodies over this size are read into shared memory, because a worker thread processes them if there is one. */
  readonly sharedOverBytes: number;
  /** Offset that is aligned, so that the numbers after it can be read in place. */
  readonly alignedAt: number;
  /** The memory for bodies; it is returned when the request has been answered. */
  readonly pool: Pool;
  /** Reserves room for more bytes of this request, or returns why there is none. */
  readonly room: (bytes: number) => Error | undefined;
}

/**
 * @throws {ProblemError} 413 for a body that is too large, 415 for an unsupported Content-Encoding, 400 for a body that
 * does not have that encoding; and the error that `room` returns
 */
export async function readBody(request: IncomingMessage, options: BodyOptions): Promise<Buffer> {
  const { limitBytes } = options;
  const coding = codingOf(request.headers['content-encoding']);
  const declared = request.headers['content-length'];
  if (declared !== undefined && Number(declared) > limitBytes)
    throw tooLarge(count(Number(declared), 'byte'), limitBytes);
  askForBody(request);
  if (coding) return readCompressed(request, coding, new BodyBuffer(FIRST_BYTES, options));
  return readPlain(request, new BodyBuffer(declared === undefined ? FIRST_BYTES : Number(declared), options));
}

const FIRST_BYTES = 64 * 1024;

function tooLarge(came: string, limitBytes: number): ProblemError {
  return new ProblemError('body-too-large', `the body has ${came}; expected at most ${limitBytes} bytes`);
}

function readPlain(request: IncomingMessage, body: BodyBuffer): Promise<Buffer> {
  // A chunk read from a socket has its own buffer, which can be freed. One that a test injects belongs to the test.
  const ownsChunks = request.socket instanceof Socket;
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      // The error handler decides what happens to the rest.
      request.removeAllListeners('data');
      body.giveUp();
      reject(error);
    };
    request.on('data', (chunk: Buffer) => {
      const refused = body.append(chunk);
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

/** Decompresses piece by piece, so that a small body cannot take more memory than the limit. */
function readCompressed(request: IncomingMessage, { name, decoder }: Coding, body: BodyBuffer): Promise<Buffer> {
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
          'invalid-encoding',
          `the body's Content-Encoding is ${name}, but its bytes cannot be decompressed: ${why}`,
        ),
      );
    };
    request.on('data', (chunk: Buffer) => {
      came += chunk.length;
      // A compressed stream can be endless without producing any output.
      if (came > body.limitBytes) fail(tooLarge(`more than ${body.limitBytes} bytes`, body.limitBytes));
    });
    // The decoder's chunks may share memory, so none is discarded.
    decoder.on('data', (chunk: Buffer) => {
      const refused = body.append(chunk, ` when decompressed (${name})`);
      if (refused) fail(refused);
    });
    decoder.on('end', () => {
      if (decoder.bytesWritten < came) malformed('bytes follow the end of the compressed data');
      else resolve(body.end());
    });
    decoder.on('error', ({ message }: Error) => {
      malformed(message.toLowerCase());
    });
    request.on('error', fail);
    request.pipe(decoder);
  });
}

/** The part of a body that has been read. */
class BodyBuffer {
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

  /** Returns why the chunk is refused, if it is; `when` completes the sentence. */
  append(chunk: Buffer, when = ''): Error | undefined {
    const length = this.length + chunk.length;
    if (length > this.limitBytes) return tooLarge(`more than ${this.limitBytes} bytes${when}`, this.limitBytes);
    const refused = this.options.room(chunk.length);
    if (refused) return refused;
    if (length > this.buffer.length) {
      // The length was not declared: by doubling, each byte is copied at most twice on average.
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

  /** Returns the memory to the pool, once. */
  giveUp(): void {
    if (!this.gaveUp) this.options.pool.give(this.buffer.buffer);
    this.gaveUp = true;
  }

  private take(bytes: number): Buffer {
    const { alignedAt, pool, sharedOverBytes } = this.options;
    const blanks = (ALIGNMENT - (alignedAt % ALIGNMENT)) % ALIGNMENT;
    return pool.take(blanks + bytes, bytes > sharedOverBytes).subarray(blanks);
  }
}

/** Numbers of any dtype can be read in place at a multiple of this. */
const ALIGNMENT = 8;
