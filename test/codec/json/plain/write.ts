/** Writes tensors and plain values as the bytes of a JSON object. */
import { dtypeOf, type Dtype, type Tensor } from '../../../../src/tensor/tensor.js';
import { isList, isObject, isTensor, type Field, type Fields } from '../../../../src/codec/fields.js';
import { float32ToDecimal, float64ToDecimal } from './decimal.js';

/** Text is encoded in pieces of about this many characters, because V8 limits the length of a string to about 2^29. */
const PIECE = 1 << 16;

/** Pieces of pure ASCII text, collected as bytes. */
class Bytes {
  private readonly pieces: Buffer[] = [];
  private text = '';

  add(text: string): void {
    this.text += text;
    if (this.text.length > PIECE) this.flush();
  }

  addUtf8(text: string): void {
    this.flush();
    this.pieces.push(Buffer.from(text, 'utf8'));
  }

  end(): Buffer {
    this.flush();
    return Buffer.concat(this.pieces);
  }

  private flush(): void {
    this.pieces.push(Buffer.from(this.text, 'latin1'));
    this.text = '';
  }
}

export function encodeJson(fields: Fields): Buffer {
  const bytes = new Bytes();
  writeFields(fields, bytes);
  return bytes.end();
}

function writeFields(fields: Fields, bytes: Bytes): void {
  let separator = '{';
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    bytes.add(separator);
    bytes.addUtf8(`${JSON.stringify(name)}:`);
    writeField(value, bytes);
    separator = ',';
  }
  bytes.add(separator === '{' ? '{}' : '}');
}

function writeField(value: Exclude<Field, undefined>, bytes: Bytes): void {
  if (isTensor(value)) writeTensor(value, bytes);
  else if (isList(value)) {
    value.forEach((entry, i) => {
      bytes.add(i === 0 ? '[' : ',');
      writeFields(entry, bytes);
    });
    bytes.add(']');
  } else if (isObject(value)) writeFields(value, bytes);
  else bytes.addUtf8(JSON.stringify(value));
}

const decimals: Record<Dtype, (value: number) => string> = {
  float64: float64ToDecimal,
  float32: float32ToDecimal,
  int32: String,
  uint8: String,
};

function writeTensor({ shape, data }: Tensor, bytes: Bytes): void {
  const decimal = decimals[dtypeOf(data)];
  const rank = shape.length;
  const row = shape[rank - 1];
  // An element opens as many brackets as there are products of inner sizes that divide its index.
  const blocks = shape.map((_, axis) => shape.slice(axis).reduce((all, size) => all * size, 1));
  for (let start = 0; start < data.length; start += row) {
    const opened = blocks.filter((block) => start % block === 0).length;
    if (start > 0) bytes.add(',');
    bytes.add('['.repeat(opened));
    let text = '';
    for (let i = start; i < start + row; i++) {
      const value = data[i];
      if (i > start) text += ',';
      text += Number.isFinite(value) ? decimal(value) : `"${value}"`;
      if (text.length > PIECE) {
        bytes.add(text);
        text = '';
      }
    }
    bytes.add(text);
    const end = start + row;
    bytes.add(']'.repeat(blocks.filter((block) => end % block === 0).length));
  }
}
