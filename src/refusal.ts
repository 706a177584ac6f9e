/**
 * The error that pure code throws when a request cannot be served. It says what was received, what was expected, and
 * where. The table in `src/http/problems.ts` maps its kind to an HTTP status.
 */
export type RefusalKind =
  | 'invalid-json'
  | 'duplicate-name'
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
  | 'not-acceptable'
  | 'session-of-another-layer'
  | 'unknown-session';

/** Keys and indices from the root of the body to the offending value. */
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
    /** When the same request may succeed, for kinds where waiting helps. */
    readonly retryAfterSeconds?: number,
  ) {
    super(detail);
  }

  /** The same refusal, for a body that contains the request at `at`. */
  within(at: Path): Refusal {
    return this.placed((path) => [...at, ...path]);
  }

  /** The same refusal, with each place mapped by `placeOf`. */
  placed(placeOf: (path: Path) => Path): Refusal {
    const places = this.places.map(({ path, detail }) => ({ path: placeOf(path), detail }));
    return new Refusal(this.kind, this.message, places, this.retryAfterSeconds);
  }
}

/** A refusal about one place, whose detail is the whole message. */
export function refuse(kind: RefusalKind, path: Path, detail: string): Refusal {
  return new Refusal(kind, detail, [{ path, detail }]);
}

const PLURALS: Readonly<Record<string, string>> = { entry: 'entries' };

/** A number of things: `1 entry`, `2 entries`. */
export function count(n: number, thing: string): string {
  return `${n} ${n === 1 ? thing : (PLURALS[thing] ?? `${thing}s`)}`;
}

/** A path as a JSON Pointer (RFC 6901). */
export function jsonPointer(path: Path): string {
  return path.map((token) => `/${String(token).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** Maximum characters of a pointer in a sentence: a name can be as long as the body. */
const LONGEST_PLACE = 200;

/** A place, as a sentence names it. */
export function placeName(path: Path): string {
  return shortened(jsonPointer(path) || 'the body');
}

export function shortened(place: string): string {
  return place.length > LONGEST_PLACE ? `${place.slice(0, LONGEST_PLACE)}…` : place;
}
