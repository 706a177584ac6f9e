/** Compressed request bodies (RFC 9110, 8.4): the supported content codings and their decoders. */
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { ProblemError } from './problems.js';

type Decoder = Transform & { readonly bytesWritten: number };

/** Zstandard, which Node.js has from 22.15 on, but which the types for Node.js 20 lack. */
interface Zstandard {
  readonly createZstdDecompress?: (options: { params: Readonly<Record<number, number>> }) => Decoder;
  readonly constants: { readonly ZSTD_d_windowLogMax?: number };
}
const { createZstdDecompress, constants } = zlib as Zstandard;

/**
 * Log2 of the largest Zstandard window, which the decoder must allocate: 8 MiB (RFC 9659). By default the library would
 * allocate 128 MiB for a body of a few bytes.
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

/** The supported codings, as a header lists them. */
const CODINGS = Object.keys(decoders);

export interface Coding {
  readonly name: string;
  readonly decoder: Decoder;
}

/**
 * The coding of a body; undefined for one that is not compressed. A body that is compressed more than once is refused:
 * no client benefits from it, and a small body could expand twice.
 * @throws {ProblemError} 415
 */
export function codingOf(header: string | undefined): Coding | undefined {
  const names = (header ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'identity');
  if (names.length === 0) return undefined;
  // Recipients treat "x-gzip" as gzip (RFC 9110, 8.4.1.3).
  const name = names[0] === 'x-gzip' ? 'gzip' : names[0];
  if (names.length > 1 || !Object.hasOwn(decoders, name))
    throw new ProblemError(
      'unsupported-media-type',
      `the body's Content-Encoding is ${header ?? ''}; expected none, or one of ${CODINGS.join(', ')}`,
      // Tells the client that the coding was the reason (RFC 9110, 15.5.16).
      { 'accept-encoding': CODINGS.join(', ') },
    );
  return { name, decoder: decoders[name]() };
}
