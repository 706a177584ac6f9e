/** The service's answers for the current state, requested again whenever it changes, one request at a time. */
import { batch, computed, effect, signal } from '@preact/signals';
import { randomNumber, randomTensor } from '../tensors/random.js';
import { resized, shapeOf, tensorOf, type Nested, type Shape, type Tensor } from '../tensors/tensor.js';
import { backwardRequest, forwardRequest, type Direction } from './request.js';
import { call, Refused, type Answer, type Problem } from './service.js';
import { setTensor, state, type State } from './state.js';

export interface Placed {
  readonly direction: Direction;
  readonly problem: Problem;
}

export const forward = signal<Answer | undefined>(undefined);
export const backward = signal<Answer | undefined>(undefined);
export const problem = signal<Placed | undefined>(undefined);
/** When the current request was sent, by `performance.now()`. */
export const busySince = signal<number | undefined>(undefined);
export const stopped = signal(false);

/** Typing a number takes a few keys, and a request after each would be for an unfinished number. */
const PAUSE_MS = 120;

let asking: AbortController | undefined;

/** The part of the state that the answers depend on. */
const question = computed(() => {
  const { layer, inputs, options, upstream } = state.value;
  return JSON.stringify({ layer, inputs, options, upstream });
});

/** Sends requests after every change, until the page is closed. */
export function keepAnswering(): void {
  let layer = '';
  effect(() => {
    const changed = question.value;
    const now = state.peek();
    asking?.abort();
    if (now.layer !== layer) {
      // The numbers of another layer must not be shown under this one's names.
      layer = now.layer;
      batch(() => {
        forward.value = backward.value = problem.value = undefined;
      });
    }
    const controller = (asking = new AbortController());
    const timer = setTimeout(() => void ask(now, controller, changed), PAUSE_MS);
    return () => {
      clearTimeout(timer);
    };
  });
}

export function stop(): void {
  asking?.abort();
  batch(() => {
    busySince.value = undefined;
    stopped.value = true;
  });
}

/** Repeats the request: after a stop, or if the service could not be reached. */
export function askAgain(): void {
  asking?.abort();
  asking = new AbortController();
  void ask(state.peek(), asking, question.peek());
}

async function ask(now: State, controller: AbortController, asked: string): Promise<void> {
  batch(() => {
    busySince.value = performance.now();
    stopped.value = false;
  });
  let direction: Direction = 'forward';
  try {
    const outputs = await call(forwardRequest(now), controller.signal);
    const fitted = fitUpstream(now, outputs);
    forward.value = outputs;
    // This change causes another request, which also gets the gradients.
    if (fitted) return;
    direction = 'backward';
    const gradients = await call(backwardRequest(now, optionsOf(now, outputs)), controller.signal);
    batch(() => {
      backward.value = gradients;
      problem.value = undefined;
    });
  } catch (error) {
    if (controller.signal.aborted) return;
    if (!(error instanceof Refused)) throw error;
    const refused = { direction, problem: error.problem };
    batch(() => {
      problem.value = refused;
      backward.value = undefined;
      if (refused.direction === 'forward') forward.value = undefined;
    });
  } finally {
    if (asking === controller && question.peek() === asked) busySince.value = undefined;
  }
}

/** The options with the seed that forward drew, so that backward uses the same mask. */
export function optionsOf({ options }: State, { seed }: Answer): State['options'] {
  return (seed as Nested | undefined) === undefined ? options : { ...options, seed };
}

/**
 * Fits the upstream gradients to the shapes of their outputs.
 * @returns whether any changed
 */
function fitUpstream({ upstream }: State, outputs: Answer): boolean {
  let changed = false;
  batch(() => {
    for (const [name, gradient] of Object.entries(upstream)) {
      const shape = shapeOf(outputs[name.slice(1)]);
      if (String(shapeOf(gradient)) === String(shape)) continue;
      setTensor('upstream', name, fitted(gradient, shape));
      changed = true;
    }
  });
  return changed;
}

function fitted(gradient: Nested, shape: Shape): Nested {
  const isOfRank = shapeOf(gradient).length === shape.length;
  return isOfRank ? resized(gradient, shape, () => randomNumber()) : randomTensor(shape);
}

/** The tensors of an answer, without other fields such as a seed. */
export function tensorsOf(answer: Answer | undefined): Record<string, Tensor | undefined> {
  return Object.fromEntries(
    Object.entries(answer ?? {})
      .filter(([, value]) => Array.isArray(value))
      .map(([name, value]) => [name, tensorOf(value)]),
  );
}
