/** Session tokens. The event loop or worker thread that computes a session also creates its token. */
import { randomBytes } from 'node:crypto';

/** 192 random bits, 32 characters: too many to guess (OWASP asks for at least 64 bits of entropy). */
const TOKEN_BYTES = 24;

/** The format of a store's tokens. Plain data that is passed to threads when they start. */
export interface TokenFormat {
  /** Start of every token. */
  readonly prefix: string;
  /** Size of the pieces of a stored session. A token ends with their number unless there is only one. */
  readonly pieceBytes?: number;
}

/** @param bytes of the session, as `bytesOf` counts them */
export function createToken({ prefix, pieceBytes = Infinity }: TokenFormat, bytes: number): string {
  const pieces = Math.max(1, Math.ceil(bytes / pieceBytes));
  return `${prefix}${randomBytes(TOKEN_BYTES).toString('base64url')}${pieces === 1 ? '' : pieces}`;
}
