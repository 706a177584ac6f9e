/** The parts of the service's OpenAPI document that tests read. */
import { expect } from 'vitest';
import type { Body } from './requests.js';
import type { Service } from './service.js';

/** By name, where the document has it. */
export type Named<Value> = Readonly<Partial<Record<string, Value>>>;

interface ObjectSchema {
  readonly properties: Readonly<Record<string, Body>>;
  readonly required?: readonly string[];
}

export interface Content {
  readonly schema: ObjectSchema;
  readonly example?: Body;
}

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly requestBody?: { readonly content: Named<Content> };
  readonly responses: Named<{ readonly content?: Named<Content> }>;
}

export interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly servers: readonly [{ readonly url: string }];
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Named<Named<Operation>>;
}

export async function documentOf({ client }: Service): Promise<OpenApi> {
  const { body, headers } = (await client.get('/openapi.json').expect(200)) as { body: OpenApi; headers: object };
  expect(headers).toMatchObject({ 'content-type': expect.stringMatching(/^application\/json/) as string });
  return body;
}

/** Every operation with its method and path. */
export function operationsOf({ paths }: OpenApi) {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods ?? {}).flatMap(([method, operation]) => (operation ? [{ method, path, operation }] : [])),
  );
}
