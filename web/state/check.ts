/** `POST /{layer}/check`: what the service says of somebody's own numbers. */
import { formatNumber } from '../tensors/format.js';
import { indicesOf, type Nested, type Tensor } from '../tensors/tensor.js';

type Figure = number | string | null;

export interface Note {
  readonly id: string;
  readonly explanation: string;
}

export interface Diagnosis extends Note {
  readonly fix: string;
}

export interface Verdict {
  readonly pass: boolean;
  readonly max_absolute_error: Figure;
  readonly max_relative_error: Figure;
  readonly worst: {
    readonly index: readonly number[];
    readonly expected: number | string;
    readonly claimed: number | string;
  } | null;
  /** Both shapes, where they differ. */
  readonly detail?: string;
  readonly diagnosis: readonly Diagnosis[];
  readonly notes?: readonly Note[];
  readonly statistics?: { readonly findings?: readonly string[] };
}

/** A mistake that gives the right answer on this input. */
export interface Hidden {
  readonly id: string;
  readonly tensors: readonly string[];
  readonly hidden: string;
  readonly try?: { readonly route: string; readonly body: Readonly<Record<string, unknown>> };
}

export interface CheckAnswer {
  readonly pass: boolean;
  readonly tensors: Readonly<Record<string, Verdict>>;
  readonly indistinguishable?: readonly Hidden[];
  readonly notes?: readonly Note[];
}

/** An input on which mistakes show. */
export interface Case {
  readonly forward: Readonly<Record<string, unknown>>;
  readonly backward?: Readonly<Record<string, Nested>>;
}

/** The tolerances that a check has by itself. */
const TOLERANCES = { float64: [1e-6, 1e-9], float32: [1e-4, 1e-6] } as const;

/** Cells of a claim that are not what the page has, with what that is. */
export function wrongCells(claimed: Tensor, expected: Tensor, dtype: unknown): Map<string, string> {
  const [relative, absolute] = TOLERANCES[dtype === 'float32' ? 'float32' : 'float64'];
  const wrong = new Map<string, string>();
  indicesOf(expected.shape).forEach((index, i) => {
    const [mine, right] = [claimed.data[i], expected.data[i]];
    if (Object.is(mine, right) || Math.abs(mine - right) <= absolute + relative * Math.abs(right)) return;
    wrong.set(index.join(), `expected ${formatNumber(right, 6)}`);
  });
  return wrong;
}
