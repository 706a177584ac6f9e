/** The targets, by row name or pattern. They are defined only here. */

export type Target =
  /** In the row's unit: nanoseconds. */
  | { readonly what: string | RegExp; readonly atMost: number }
  /** Speed relative to the first alternative whose name starts with this. */
  | { readonly what: string | RegExp; readonly beside: string; readonly atLeast: number };

const MILLISECOND = 1e6;

const DTYPES = ['float32', 'float64'];

/** For both dtypes. */
const both = (make: (dtype: string) => Target): readonly Target[] => DTYPES.map(make);

/** Allowed time of layers relative to PyTorch on one thread, in float32 and in float64. */
function besideTorch(name: string, float32: number, float64 = float32): readonly Target[] {
  return [float32, float64].map((times, i) => ({
    what: `${name} ${DTYPES[i]}, forward`,
    beside: 'PyTorch',
    atLeast: 1 / times,
  }));
}

/** Requests per second relative to FastAPI with PyTorch. */
const besideFastApi: Readonly<Record<string, number>> = {
  'bn-64x64-json': 1.43,
  'bn-1024x256-json': 1.52,
  'bn-4096x512-json': 1.5,
  'dropout-1024x256-json': 1.5,
  'linear-64x256x256-json': 1.5,
  'conv-8x3x32-o16-json': 1.49,
  'conv-8x64x32-o64-f32': 0.62,
  'conv-8x64x32-o64-f64': 0.79,
  'pool-max-16x64x64-f32': 1.58,
  'pool-avg-16x64x64-f32': 1.09,
  'lstm-T50N32I128H256-f32': 0.78,
  'lstm-T20N4I8H16-json': 1.95,
  'rnn-T50N32I128H256-f32': 0.83,
  'rnn-T20N4I8H16-json': 1.76,
};

const targets: readonly Target[] = [
  ...['1024 × 256', '4096 × 512'].flatMap((shape) => [
    { what: `read ${shape} float64, 17 digits`, atMost: 45 },
    { what: `write ${shape} float64, 17 digits`, atMost: 60 },
  ]),

  ...both((dtype) => ({ what: `product 512-512-512 ${dtype}`, beside: 'NumPy on OpenBLAS', atLeast: 0.45 })),
  ...both((dtype) => ({ what: `linear 512-512-512 ${dtype}, forward`, beside: 'PyTorch', atLeast: 0.45 })),
  ...besideTorch('convolution 8-64-32-64', 2.3, 1.7),
  ...besideTorch('convolution 8-3-32-16', 1),
  ...besideTorch('lstm 50-32-128-256', 1.4),
  ...besideTorch('lstm 20-4-8-16', 1),
  ...besideTorch('rnn 50-32-128-256', 1.4),
  ...besideTorch('rnn 20-4-8-16', 1),
  { what: 'batchnorm 4096-512 float32, forward', atMost: 1 },
  { what: 'batchnorm 4096-512 float64, forward', atMost: 1.5 },
  ...both((dtype) => ({
    what: `batchnorm 4096-512 ${dtype}, forward and backward`,
    beside: 'PyTorch',
    atLeast: 1,
  })),
  ...both((dtype) => ({ what: `max pooling 16-64-64-64 ${dtype}, forward`, atMost: 1.2 })),
  ...both((dtype) => ({ what: `average pooling 16-64-64-64 ${dtype}, forward`, atMost: 1.2 })),
  ...both((dtype) => ({ what: `dropout 1024-256 ${dtype}, forward`, atMost: 2 })),

  { what: /, backward$/, beside: 'its forward', atLeast: 1 / 2.5 },

  ...Object.entries(besideFastApi).map(([workload, atLeast]) => ({
    what: `${workload}, forward`,
    beside: 'FastAPI',
    atLeast,
  })),

  { what: 'bn-1024x256-json-short, forward', beside: 'FastAPI', atLeast: 1.86 },
  ...['bn-1024x256-f64', 'bn-4096x512-f32'].map((workload) => ({
    what: `${workload}, forward, beside an echo`,
    beside: 'echo',
    atLeast: 0.9,
  })),

  { what: 'batchnorm 64 × 64 beside four clients of 1024 × 1024, p99', atMost: 15 * MILLISECOND },
  { what: 'two large convolutions at once', beside: 'one alone', atLeast: 1 / 1.2 },
];

export function targetsOf(what: string): readonly Target[] {
  return targets.filter((target) => (typeof target.what === 'string' ? target.what === what : target.what.test(what)));
}
