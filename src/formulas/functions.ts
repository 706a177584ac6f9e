/** The elementwise functions of formulas. */
export const FUNCTIONS: Readonly<Record<string, (value: number) => number>> = {
  σ: (z) => 1 / (1 + Math.exp(-z)),
  tanh: Math.tanh,
  relu: (z) => (z > 0 || Number.isNaN(z) ? z : 0),
  positive: (z) => (z > 0 || Number.isNaN(z) ? 1 : 0),
  '√': Math.sqrt,
  inverse_root: (z) => (z === 0 ? 0 : 1 / Math.sqrt(z)),
  exp: Math.exp,
  identity: (z) => z,
  hard_sigmoid: (z) => Math.min(1, Math.max(0, 0.2 * z + 0.5)),
};
