/**
 * A body whose tensors are read later: their text is found and stepped over, and only the small rest goes through
 * `JSON.parse`. What is a tensor is known from the layer's definition, and its dtype from the rest or from a session.
 *
 * This way accepts nothing by itself. Whatever it does not know (escapes in keys, a tensor that comes twice, anything
 * ill-formed), it leaves to the plain reader, which is the definition.
 */
import type { Path } from '../../refusal.js';
import type { FloatDtype, Tensor } from '../../tensor/tensor.js';
import type { TensorNames } from '../codec.js';
import * as plain from './plain/read.js';
import { parseTensor, skipTensor } from './wasm/memory.js';

/** The bytes of a request, and what the plain reader makes of them, if it must. */
class Source {
  private parsed: { readonly value: unknown } | undefined;

  constructor(readonly bytes: Buffer) {}

  plainly(keys: Path): unknown {
    this.parsed ??= { value: plain.parseJson(this.bytes) };
    return keys.reduce((value, key) => (value as Record<string | number, unknown>)[key], this.parsed.value);
  }
}

/** A tensor of a body, as text. */
export class TensorText {
  constructor(
    private readonly source: Source,
    private readonly keys: Path,
    private readonly start: number,
    private readonly elements: number,
  ) {}

  /** @throws {Refusal} as the plain reader, and invalid-json */
  floats(dtype: FloatDtype, path: Path): Tensor {
    return this.read(dtype) ?? plain.decodeFloats(this.source.plainly(this.keys), dtype, path);
  }

  /** @throws {Refusal} as the plain reader, and invalid-json */
  integers(path: Path): Tensor {
    return this.read('int32') ?? plain.decodeIntegers(this.source.plainly(this.keys), path);
  }

  private read(dtype: FloatDtype | 'int32'): Tensor | undefined {
    return parseTensor(this.source.bytes, this.start, this.elements, dtype);
  }
}

const BRACE = 0x7b;
const BRACE_END = 0x7d;
const BRACKET = 0x5b;
const BRACKET_END = 0x5d;
const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;

/** Stands for a tensor in the rest. An array, since it must end where it ends: `[1]2` must not become a number. */
const PLACEHOLDER = '[]';

/**
 * No layer has half as many. A list may have a million, and to look at one in a large body takes as long as to copy a
 * window of it.
 */
const MOST_TENSORS = 64;

/** Nothing that a layer's definition knows has such a character, so the rest need not be read as UTF-8. */
const NOT_ASCII = /[\x80-\xff]/;

/** The parsed body with a {@link TensorText} for each tensor; nothing where the plain reader must decide. */
export function parseBody(bytes: Buffer, names: TensorNames, deepest: number): unknown {
  const scanner = new Scanner(bytes, deepest);
  if (!scanner.body(names)) return undefined;
  let rest = '';
  let from = 0;
  for (const { start, end } of scanner.tensors) {
    rest += bytes.toString('latin1', from, start) + PLACEHOLDER;
    from = end;
  }
  rest += bytes.toString('latin1', from);
  if (NOT_ASCII.test(rest)) return undefined;
  let body: unknown;
  try {
    body = JSON.parse(rest);
  } catch {
    return undefined;
  }
  const source = new Source(bytes);
  for (const { keys, start, elements } of scanner.tensors) {
    const holder = keys
      .slice(0, -1)
      .reduce((value, key) => value[key] as Record<string | number, unknown>, body as Record<string | number, unknown>);
    holder[keys[keys.length - 1]] = new TensorText(source, keys, start, elements);
  }
  return body;
}

function isList(names: TensorNames[string] | undefined): names is readonly [TensorNames] {
  return Array.isArray(names);
}

/** Steps over a body of JSON. It need not be strict about what `JSON.parse` will see after it. */
class Scanner {
  readonly tensors: { keys: Path; start: number; end: number; elements: number }[] = [];
  private at = 0;

  constructor(
    private readonly bytes: Buffer,
    private readonly deepest: number,
  ) {}

  body(names: TensorNames): boolean {
    this.space();
    if (!this.object(names, [])) return false;
    this.space();
    return this.at === this.bytes.length;
  }

  private object(names: TensorNames, path: Path): boolean {
    if (!this.take(BRACE)) return false;
    const seen: string[] = [];
    do {
      this.space();
      const key = this.key(names);
      if (key === undefined) return false;
      this.space();
      if (!this.take(COLON)) return false;
      this.space();
      const wanted = key === '' ? undefined : names[key];
      if (wanted !== undefined) {
        if (seen.includes(key)) return false;
        seen.push(key);
      }
      const first = this.bytes[this.at];
      if (wanted === true && first === BRACKET) {
        if (!this.tensor([...path, key])) return false;
      } else if (isList(wanted) && first === BRACKET) {
        if (!this.objects(wanted[0], [...path, key])) return false;
      } else if (typeof wanted === 'object' && !isList(wanted) && first === BRACE) {
        if (!this.object(wanted, [...path, key])) return false;
      } else if (!this.other()) return false;
      this.space();
    } while (this.take(COMMA));
    return this.take(BRACE_END);
  }

  private objects(names: TensorNames, path: Path): boolean {
    this.at++;
    let entry = 0;
    do {
      this.space();
      if (!this.object(names, [...path, entry++])) return false;
      this.space();
    } while (this.take(COMMA));
    return this.take(BRACKET_END);
  }

  private take(byte: number): boolean {
    if (this.bytes[this.at] !== byte) return false;
    this.at++;
    return true;
  }

  private space(): void {
    for (let byte = this.bytes[this.at]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;)
      byte = this.bytes[++this.at];
  }

  /** The name that stands here as a key; '' for a key that is none of them. */
  private key(names: TensorNames): string | undefined {
    const start = this.at + 1;
    if (!this.take(QUOTE) || !this.string(false)) return undefined;
    const length = this.at - 1 - start;
    for (const name in names) if (name.length === length && this.isAt(start, name)) return name;
    return '';
  }

  private isAt(start: number, name: string): boolean {
    for (let i = 0; i < name.length; i++) if (this.bytes[start + i] !== name.charCodeAt(i)) return false;
    return true;
  }

  /** To behind the closing quote. */
  private string(escapes: boolean): boolean {
    const { bytes } = this;
    while (this.at < bytes.length) {
      const byte = bytes[this.at++];
      if (byte === QUOTE) return true;
      if (byte === BACKSLASH) {
        if (!escapes) return false;
        this.at++;
      }
    }
    return false;
  }

  private tensor(keys: Path): boolean {
    if (this.tensors.length === MOST_TENSORS) return false;
    const start = this.at;
    const found = skipTensor(this.bytes, start);
    if (!found) return false;
    this.tensors.push({ keys, start, ...found });
    this.at = found.end;
    return true;
  }

  private other(): boolean {
    const { bytes } = this;
    let depth = 0;
    while (this.at < bytes.length) {
      const byte = bytes[this.at];
      if (byte === QUOTE) {
        this.at++;
        if (!this.string(true)) return false;
        continue;
      }
      if (byte === BRACE || byte === BRACKET) {
        if (++depth > this.deepest) return false;
      } else if (byte === BRACE_END || byte === BRACKET_END) {
        if (depth === 0) return true;
        depth--;
      } else if (byte === COMMA && depth === 0) return true;
      this.at++;
    }
    return false;
  }
}
