/** The layers as models of the Open Inference Protocol: two each, forward and backward. */
import type { TObject, TProperties } from '@sinclair/typebox';
import { modelId } from '../codec/inference/inference.js';
import { isOptional as isOptionalIn } from '../validation/validate.js';
import type { Layer } from '../layers/definition.js';

/** The platform that runs the models. */
const PLATFORM = 'layerd';

export interface Model {
  readonly name: string;
  readonly layer: string;
  readonly direction: 'forward' | 'backward';
  readonly version: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Triton's ModelConfig, as JSON. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** Models by name. */
export function modelsOf(layers: readonly Layer[]): ReadonlyMap<string, Model> {
  return new Map(
    layers.flatMap((layer) => (['forward', 'backward'] as const).map((direction) => modelOf(layer, direction))),
  );
}

function modelOf({ name: layer, schemas }: Layer, direction: 'forward' | 'backward'): [string, Model] {
  const { inputs, outputs, upstream, gradients } = schemas;
  const { name, version } = modelId(layer, direction);
  const all = { ...inputs.properties, ...outputs.properties };
  const described = (schema: TObject, prefix = '') =>
    Object.entries(schema.properties)
      .filter(([, property]) => 'x-tensor' in property)
      .map(([tensor, { 'x-shape': shape, 'x-tensor': element }]) => ({
        name: prefix + tensor,
        datatype: element === 'integer' ? 'INT64' : 'FP64',
        shape: Array<number>(rankOf(shape as string, all)).fill(-1),
      }));
  const isOptional = (tensor: string) =>
    tensor.startsWith('forward.') || isOptionalIn((direction === 'forward' ? inputs : upstream).properties[tensor]);
  const configured = ({ name: tensor, datatype, shape }: ReturnType<typeof described>[number]) => ({
    name: tensor,
    data_type: `TYPE_${datatype}`,
    dims: shape,
  });
  const metadata = {
    name,
    versions: [version],
    platform: PLATFORM,
    inputs: direction === 'forward' ? described(inputs) : [...described(upstream), ...described(inputs, 'forward.')],
    outputs: described(direction === 'forward' ? outputs : gradients),
  };
  const config = {
    name,
    platform: PLATFORM,
    backend: PLATFORM,
    version_policy: { latest: { num_versions: 1 } },
    max_batch_size: 0,
    input: metadata.inputs.map((input) => ({ ...configured(input), optional: isOptional(input.name) })),
    output: metadata.outputs.map(configured),
  };
  return [name, { name, layer, direction, version, metadata, config }];
}

/** A valid request, from the layer's own example. */
export function exampleOf({ schemas, reference }: Layer): object {
  const fields = Object.entries(reference.example.forward);
  return {
    id: 'example',
    parameters: Object.fromEntries(fields.filter(([name]) => name in schemas.options.properties)),
    inputs: fields
      .filter(([name]) => name in schemas.inputs.properties)
      .map(([name, data]: [string, unknown]) => {
        const shape: number[] = [];
        for (let axis = data; Array.isArray(axis); axis = axis[0] as unknown) shape.push(axis.length);
        return { name, shape, datatype: 'FP64', data };
      }),
  };
}

/** The rank of a shape in words, such as `[N, C] or [N, C, *]` or `as x`; the lowest of several. */
function rankOf(shape: string, tensors: TProperties): number {
  const like = /^as (\w+)/.exec(shape)?.[1];
  if (like !== undefined) return rankOf(tensors[like]['x-shape'] as string, tensors);
  const axes = /^\[([^\]]+)\]/.exec(shape)?.[1];
  if (axes === undefined) throw new Error(`"${shape}" does not start with a shape`);
  return axes.split(',').length;
}
