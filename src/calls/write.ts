import { codecs } from '../codec/codecs.js';
import type { Fields } from '../codec/fields.js';
import { writeInference } from '../codec/inference/answer.js';
import type { Form } from './read.js';

/**
 * @returns the answer in pieces
 * @throws {Refusal} value-mismatch if a requested result is not among the fields
 */
export function writeAnswer(fields: Fields, form: Form): readonly Uint8Array[] {
  return 'accept' in form ? codecs[form.accept].encode(fields) : writeInference(fields, form);
}
