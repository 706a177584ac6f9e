/**
 * Reads all JSON that clients send (RFC 8259). Unlike `JSON.parse`, it refuses a name that occurs twice in one object,
 * and says where errors are. It does not read the numbers of a tensor: it finds the end of their text and skips it.
 */
import { isUtf8 } from 'node:buffer';
import { placeName, refuse, Refusal, type Path } from '../../refusal.js';
import { numberOf } from '../../validation/near-integer.js';
import type { TensorNames } from '../codec.js';
import { TensorText } from './tensor-text.js';
import { skipTensor } from './wasm/numbers.js';

const BRACE = 0x7b;
const BRACKET = 0x5b;
/** Maps an opening brace or bracket to the closing one. */
const TO_CLOSING = 2;
const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;
const LOWER_CASE = 0x20;
const E = 0x65;
const U = 0x75;
const FIRST_PRINTABLE = 0x20;
const FIRST_NOT_ASCII = 0x80;
/** The characters that may follow a backslash; `u` is followed by four hexadecimal digits. */
const ESCAPED = '"\\/bfnrtu';

const LITERALS = new Map<number, readonly [Buffer, null | boolean]>([
  [0x6e, [Buffer.from('null'), null]],
  [0x74, [Buffer.from('true'), true]],
  [0x66, [Buffer.from('false'), false]],
]);

/** NaN and infinities as programming languages print them, and the strings that represent them in a tensor. */
const NOT_FINITE: readonly (readonly [RegExp, string])[] = [
  [/^[+-]?nan\b/i, 'NaN'],
  [/^\+?inf(inity)?\b/i, 'Infinity'],
  [/^-inf(inity)?\b/i, '-Infinity'],
];

/** Maximum bytes of a text that a refusal shows. */
const SHOWN_BYTES = 20;

const UTF8_MARK = Buffer.of(0xef, 0xbb, 0xbf);
const UTF16_MARKS = [Buffer.of(0xff, 0xfe), Buffer.of(0xfe, 0xff)];

/**
 * @param names of the tensors, which remain text until their dtype is known; if absent, everything is parsed
 * @param deepest maximum nesting depth
 * @throws {Refusal} invalid-json; duplicate-name if the text is otherwise JSON
 */
export function readText(bytes: Buffer, names: TensorNames | undefined, deepest: number): unknown {
  if (names)
    try {
      return new Reader(bytes, deepest).text(names);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      // A tensor that was skipped may contain an earlier error.
    }
  expectUtf8(bytes);
  return new Reader(bytes, deepest).text(undefined);
}

function expectUtf8(bytes: Buffer): void {
  if (bytes.length === 0) throw new Refusal('invalid-json', 'the body is empty; expected a JSON object');
  const marked = (mark: Buffer) => mark.equals(bytes.subarray(0, mark.length));
  if (marked(UTF8_MARK))
    throw new Refusal('invalid-json', 'the body begins with a byte-order mark (EF BB BF); expected JSON without one');
  if (UTF16_MARKS.some(marked))
    throw new Refusal('invalid-json', 'the body begins with the byte-order mark of UTF-16; expected JSON in UTF-8');
  if (!isUtf8(bytes)) throw notUtf8();
}

const notUtf8 = () => new Refusal('invalid-json', 'the body is not UTF-8, as JSON must be');

/** An array or object whose end has not been read. */
interface Open {
  readonly values: unknown[] | Record<string, unknown>;
  readonly closing: number;
  /** Names of an object's tensors, or those of each object in a list. */
  readonly names: TensorNames | undefined;
  /** Key or index of the entry that is being read. */
  key: string | number;
}

function isList(names: TensorNames[string] | undefined): names is readonly [TensorNames] {
  return Array.isArray(names);
}

/** Uses its own stack, because the depth at which V8's stack overflows is unpredictable. */
class Reader {
  private readonly open: Open[] = [];
  private twice: Path | undefined;

  /**
   * @param at where in the bytes the value begins
   * @param path where in the body it is
   * @param toNumber what a literal becomes
   */
  constructor(
    private readonly bytes: Buffer,
    private readonly deepest: number,
    private at = 0,
    private readonly path: Path = [],
    private readonly toNumber: (literal: string) => unknown = numberOf,
  ) {}

  text(names: TensorNames | undefined): unknown {
    const value = this.value(names);
    this.space();
    if (this.at < this.bytes.length) throw this.failed('the end of the text');
    this.expectNoneTwice();
    return value;
  }

  /** Reads an array in the middle of a text. */
  array(): { value: unknown; end: number } {
    const value = this.value(undefined);
    this.expectNoneTwice();
    return { value, end: this.at };
  }

  private expectNoneTwice(): void {
    if (this.twice)
      throw refuse('duplicate-name', this.twice, `${placeName(this.twice)} occurs twice; expected each name once`);
  }

  private value(names: TensorNames | undefined): unknown {
    for (let wanted: TensorNames[string] | undefined = names; ; wanted = this.wanted()) {
      this.space();
      const byte = this.bytes[this.at];
      let value: unknown;
      if (byte === BRACKET && wanted === true) value = this.tensor();
      else if (byte === BRACKET || byte === BRACE) {
        const { values, closing } = this.begin(byte, wanted);
        this.space();
        if (this.take(closing)) {
          this.open.pop();
          value = values;
        } else {
          if (byte === BRACE) this.name();
          continue;
        }
      } else value = this.scalar(byte);
      for (;;) {
        const inner = this.open.at(-1);
        if (!inner) return value;
        this.keep(inner, value);
        this.space();
        if (this.take(COMMA)) {
          if (typeof inner.key === 'number') inner.key++;
          else this.name();
          break;
        }
        if (!this.take(inner.closing)) throw this.failed(`"," or "${String.fromCharCode(inner.closing)}"`);
        this.open.pop();
        value = inner.values;
      }
    }
  }

  /** Whether the next value is a tensor, or which tensors it contains. */
  private wanted(): TensorNames[string] | undefined {
    const { names, key } = this.open[this.open.length - 1];
    if (names === undefined || typeof key === 'number') return names;
    return Object.hasOwn(names, key) ? names[key] : undefined;
  }

  private begin(byte: number, wanted: TensorNames[string] | undefined): Open {
    if (this.path.length + this.open.length === this.deepest)
      throw new Refusal('invalid-json', `the body is nested deeper than ${this.deepest} arrays and objects`);
    this.at++;
    const closing = byte + TO_CLOSING;
    let names: TensorNames | undefined;
    if (byte === BRACKET) names = isList(wanted) ? wanted[0] : undefined;
    else if (typeof wanted === 'object' && !isList(wanted)) names = wanted;
    const opened: Open =
      byte === BRACKET ? { values: [], closing, names, key: 0 } : { values: {}, closing, names, key: '' };
    this.open.push(opened);
    return opened;
  }

  private keep({ values, key }: Open, value: unknown): void {
    if (Array.isArray(values)) values.push(value);
    else if (key === '__proto__')
      // An assignment would not create an own property.
      Object.defineProperty(values, key, { value, enumerable: true, configurable: true, writable: true });
    else values[key] = value;
  }

  /** Reads the name of an entry and the colon after it. */
  private name(): void {
    const inner = this.open[this.open.length - 1];
    this.space();
    if (this.bytes[this.at] !== QUOTE) throw this.failed('a name in double quotes');
    inner.key = this.string();
    if (!this.twice && Object.hasOwn(inner.values, inner.key)) this.twice = this.here();
    this.space();
    if (!this.take(COLON)) throw this.failed('":"');
  }

  private here(): Path {
    return [...this.path, ...this.open.map(({ key }) => key)];
  }

  private tensor(): TensorText {
    const { bytes, deepest, at: start } = this;
    const path = this.here();
    const found = skipTensor(bytes, start);
    const end = found?.end ?? new Reader(bytes, deepest, start, path).array().end;
    this.at = end;
    return new TensorText(
      { bytes, start, end, elements: found?.elements },
      (toNumber) => new Reader(bytes, deepest, start, path, toNumber).array().value,
    );
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

  private scalar(byte: number): unknown {
    if (byte === QUOTE) return this.string();
    if (byte === MINUS || isDigit(byte)) return this.number();
    const literal = LITERALS.get(byte);
    if (!literal?.[0].equals(this.bytes.subarray(this.at, this.at + literal[0].length))) throw this.failed('a value');
    this.at += literal[0].length;
    return literal[1];
  }

  private number(): unknown {
    const { bytes } = this;
    const start = this.at;
    this.take(MINUS);
    // No digit may follow a leading zero.
    if (!this.take(ZERO)) this.digits();
    if (this.take(POINT)) this.digits();
    if ((bytes[this.at] | LOWER_CASE) === E) {
      this.at++;
      if (!this.take(PLUS)) this.take(MINUS);
      this.digits();
    }
    return this.toNumber(bytes.toString('latin1', start, this.at));
  }

  private digits(): void {
    const start = this.at;
    while (isDigit(this.bytes[this.at])) this.at++;
    if (this.at === start) throw this.failed('a digit');
  }

  private string(): string {
    const { bytes } = this;
    const start = ++this.at;
    let ascii = true;
    let escapes = false;
    for (let byte = bytes[this.at]; byte !== QUOTE; byte = bytes[++this.at]) {
      if (byte === BACKSLASH) {
        escapes = true;
        this.escape();
      } else if (byte >= FIRST_NOT_ASCII) ascii = false;
      // Negated, because the byte is undefined at the end of the text.
      else if (!(byte >= FIRST_PRINTABLE)) throw this.failed('a string without control characters, and its end');
    }
    const end = this.at++;
    if (!ascii && !isUtf8(bytes.subarray(start, end))) throw notUtf8();
    if (escapes) return JSON.parse(bytes.toString('utf8', start - 1, this.at)) as string;
    return ascii ? bytes.toString('latin1', start, end) : bytes.toString('utf8', start, end);
  }

  /** Reads an escape up to its last byte. */
  private escape(): void {
    const byte = this.bytes[++this.at];
    if (!ESCAPED.includes(String.fromCharCode(byte))) throw this.failed('one of " \\ / b f n r t u after a backslash');
    if (byte !== U) return;
    for (let digit = 0; digit < 4; digit++)
      if (!/[\da-f]/i.test(String.fromCharCode(this.bytes[++this.at])))
        throw this.failed('four hexadecimal digits after \\u');
  }

  private failed(expected: string): Refusal {
    const { bytes, at } = this;
    const path = this.here();
    const place = path.length === 0 ? '' : ` for ${placeName(path)}`;
    const say = (what: string) => new Refusal('invalid-json', `the body is not JSON: ${what}`);
    if (at >= bytes.length) return say(`it ends at byte ${bytes.length}; expected ${expected}${place}`);
    const rest = bytes.toString('utf8', at, at + SHOWN_BYTES);
    // A minus sign is read before the text after it proves not to be a number.
    const sign = bytes[at - 1] === MINUS ? '-' : '';
    const [word, string] =
      NOT_FINITE.map(([pattern, string]) => [pattern.exec(sign + rest)?.[0], string] as const).find(([word]) => word) ??
      [];
    if (word)
      return say(`${word} at byte ${at - sign.length}${place} is not a JSON number; expected the string "${string}"`);
    const came = /^[\w.+-]+/.exec(rest)?.[0] ?? String.fromCodePoint(rest.codePointAt(0) ?? 0);
    return say(`${JSON.stringify(came)} at byte ${at}; expected ${expected}${place}`);
  }
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= ZERO + 9;
}
