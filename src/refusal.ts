/**
 * What pure code throws when a request cannot be served as it stands. It says what came, what was expected and
 * where; which HTTP status that is stands in one table, in `src/http/problems.ts`.
 */
export type RefusalKind =
  | 'invalid-json'
  | 'invalid-safetensors'
  | 'invalid-inference-request'
  | 'invalid-request'
  | 'invalid-tensor'
  | 'ragged-tensor'
  | 'number-out-of-range'
  | 'shape-mismatch'
  | 'value-mismatch'
  | 'work-limit-exceeded'
  | 'session-too-large'
  | 'session-store-full'
  | 'session-store-unavailable'
  | 'session-of-another-layer'
  | 'unknown-session';

/** Keys and indices from the body's root to the offender. */
export type Path = readonly (string | number)[];

export interface Place {
  readonly path: Path;
  readonly detail: string;
}

export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(
    readonly kind: RefusalKind,
    detail: string,
    readonly places: readonly Place[] = [],
    /** When the same request may succeed, for the kinds where waiting helps. */
    readonly retryAfterSeconds?: number,
  ) {
    super(detail);
  }

  /** The same refusal, seen from a body in which its request stands at `at`. */
  within(at: Path): Refusal {
    return this.placed((path) => [...at, ...path]);
  }

  /** The same refusal, in a body where what it means stands elsewhere. */
  placed(placeOf: (path: Path) => Path): Refusal {
    const places = this.places.map(({ path, detail }) => ({ path: placeOf(path), detail }));
    return new Refusal(this.kind, this.message, places, this.retryAfterSeconds);
  }
}

/** A refusal about one place, whose detail is the whole message. */
export function refuse(kind: RefusalKind, path: Path, detail: string): Refusal {
  return new Refusal(kind, detail, [{ path, detail }]);
}

/** A path as a JSON Pointer (RFC 6901). */
export function jsonPointer(path: Path): string {
  return path.map((token) => `/${String(token).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
