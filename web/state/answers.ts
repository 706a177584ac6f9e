/** What the service answers to the state: asked for again whenever it changes, one question at a time. */
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
/** When the question under way was asked, by `performance.now()`. */
export const busySince = signal<number | undefined>(undefined);
export const stopped = signal(false);

/** Typing a number takes a few keys: asking after each would be asking for what nobody meant. */
const PAUSE_MS = 120;

let asking: AbortController | undefined;

/** Of the state, what the answer depends on. */
const question = computed(() => {
  const { layer, inputs, options, upstream } = state.value;
  return JSON.stringify({ layer, inputs, options, upstream });
});

/** Asks after every change, until the page is closed. */
export function keepAnswering(): void {
  let layer = '';
  effect(() => {
    const changed = question.value;
    const now = state.peek();
    asking?.abort();
    if (now.layer !== layer) {
      // Another layer's numbers under this one's names would be wrong ones.
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

/** The same question once more: after a stop, or when the service could not be reached. */
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
    // The gradient follows with the next question, which this change asks.
    if (fitted) return;
    direction = 'backward';
    const seed = outputs.seed as number | undefined;
    const options = seed === undefined ? now.options : { ...now.options, seed };
    const gradients = await call(backwardRequest(now, options), controller.signal);
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

/** Upstream gradients of another shape than what they are the gradients of are made anew. */
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

/** The tensors of an answer; what else is in it, a seed, has no cells. */
export function tensorsOf(answer: Answer | undefined): Record<string, Tensor | undefined> {
  return Object.fromEntries(
    Object.entries(answer ?? {})
      .filter(([, value]) => Array.isArray(value))
      .map(([name, value]) => [name, tensorOf(value)]),
  );
}
