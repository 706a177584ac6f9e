/** How sentences name the parts of a request: each format has different words for the same fields. */
import { placeName, type Path, type RefusalKind } from '../refusal.js';

export interface Words {
  /** Names the part at a path: `/weight` in JSON, `input "weight"` in an inference request. */
  place(path: Path): string;
  /** The sentence for a missing field. */
  missing(path: Path, expected: string): string;
  /** Which of the names that an object accepts to suggest instead of the unknown one at `path`. */
  alternatives(path: Path, names: readonly string[]): readonly string[];
  /** Names the route or model of a layer's backward. */
  backwardOf(layer: string): string;
  /** What a client can do about a session that cannot be kept or read. */
  readonly advice: Readonly<Partial<Record<RefusalKind, string>>>;
}

const WITHOUT_SESSION = 'Send "session": false to forward, and the forward request instead of the token to backward';

export const jsonWords: Words = {
  place: placeName,
  missing: (path, expected) => `${jsonWords.place(path)} is missing; expected ${expected}`,
  alternatives: (_path, names) => names,
  backwardOf: (layer) => `/${layer}/backward`,
  advice: {
    'session-too-large': WITHOUT_SESSION,
    'session-store-full':
      'Release sessions ("release": true, or DELETE /sessions/{token}), or send "session": false, or wait',
    'session-store-unavailable': WITHOUT_SESSION,
  },
};
