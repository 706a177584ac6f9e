/** Compressed bodies (RFC 9110, 8.4): which content codings are read, and by what. */
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { ProblemError } from './errors.js';
import { problem } from './problems.js';

type Decoder = Transform & { readonly bytesWritten: number };

/** In Node.js from 22.15 on, which the types of 20 do not know. */
interface Zstandard {
  readonly createZstdDecompress?: (options: { params: Readonly<Record<number, number>> }) => Decoder;
  readonly constants: { readonly ZSTD_d_windowLogMax?: number };
}
const { createZstdDecompress, constants } = zlib as Zstandard;

/**
 * Log2 of the largest window of a Zstandard body, which its reader must hold: 8 MiB, as RFC 9659 has it. By itself the
 * library would take 128 MiB for a body of a few bytes.
 */
const ZSTD_WINDOW_LOG = 23;

const decoders: Readonly<Record<string, () => Decoder>> = {
  gzip: () => zlib.createGunzip(),
  deflate: () => zlib.createInflate(),
  br: () => zlib.createBrotliDecompress(),
  ...(createZstdDecompress && constants.ZSTD_d_windowLogMax !== undefined
    ? { zstd: () => createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax ?? 0]: ZSTD_WINDOW_LOG } }) }
    : {}),
};

/** The codings that are read here, as a header lists them. */
export const CODINGS = Object.keys(decoders);

export interface Coding {
  readonly name: string;
  readonly decoder: Decoder;
}

/**
 * What reads a body; nothing for one that is not compressed. A body that is compressed several times over is not read:
 * no client gains by it, and a small one could be blown up twice.
 * @throws {ProblemError} 415
 */
export function codingOf(header: string | undefined): Coding | undefined {
  const names = (header ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'identity');
  if (names.length === 0) return undefined;
  // "x-gzip" is gzip to whoever receives it (RFC 9110, 8.4.1.3).
  const name = names[0] === 'x-gzip' ? 'gzip' : names[0];
  if (names.length > 1 || !Object.hasOwn(decoders, name))
    throw new ProblemError(
      problem(
        'unsupported-media-type',
        `the body's Content-Encoding is ${header ?? ''}; expected none, or one of ${CODINGS.join(', ')}`,
      ),
      // RFC 9110, 15.5.16: so that the client sees that it is the coding.
      { 'accept-encoding': CODINGS.join(', ') },
    );
  return { name, decoder: decoders[name]() };
}
