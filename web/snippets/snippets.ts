/** A request as a program in several languages. Each program names everything that it needs. */
import type { ServiceRequest } from '../state/request.js';
import { doubleQuoted, pieces, prettyJson, python, rawRust, shellQuoted } from './literal.js';

export interface Snippet {
  readonly id: string;
  readonly language: string;
  readonly write: (origin: string, request: ServiceRequest) => string;
}

const lines = (...all: readonly string[]): string => all.join('\n');

const compact = ({ body }: ServiceRequest): string => JSON.stringify(body);

/** Linux limits an argument to 128 KiB. */
const LONGEST_ARGUMENT = 120_000;

/** Java limits a string constant to 65,535 bytes. */
const LONGEST_CONSTANT = 60_000;

function javaString(text: string): string {
  if (text.length <= LONGEST_CONSTANT) return doubleQuoted(text);
  // The compiler would join constants that are added with +.
  return `String.join("", ${pieces(text, LONGEST_CONSTANT).map(doubleQuoted).join(', ')})`;
}

export const snippets: readonly Snippet[] = [
  {
    id: 'curl',
    language: 'curl',
    write: (origin, request) => {
      const body = compact(request);
      const start = [`curl -s ${shellQuoted(origin + request.path)} \\`, `  -H 'content-type: application/json' \\`];
      return body.length > LONGEST_ARGUMENT
        ? lines(...start, `  --data-binary @- <<'END'`, body, 'END')
        : lines(...start, `  -d ${shellQuoted(body)}`);
    },
  },
  {
    id: 'python',
    language: 'Python',
    write: (origin, { path, body }) =>
      lines(
        'import json',
        'import urllib.error',
        'import urllib.request',
        '',
        `body = ${python(body)}`,
        'request = urllib.request.Request(',
        `    ${doubleQuoted(origin + path)},`,
        '    json.dumps(body).encode(),',
        '    {"Content-Type": "application/json"},',
        ')',
        'try:',
        '    with urllib.request.urlopen(request) as response:',
        '        print(json.load(response))',
        'except urllib.error.HTTPError as refusal:',
        '    print(json.load(refusal))',
      ),
  },
  {
    id: 'javascript',
    language: 'JavaScript',
    write: (origin, { path, body }) =>
      lines(
        `const body = ${prettyJson(body)};`,
        `const response = await fetch(${doubleQuoted(origin + path)}, {`,
        `  method: 'POST',`,
        `  headers: { 'content-type': 'application/json' },`,
        '  body: JSON.stringify(body),',
        '});',
        // console.log abbreviates deeply nested arrays.
        'console.log(JSON.stringify(await response.json()));',
      ),
  },
  {
    id: 'go',
    language: 'Go',
    write: (origin, request) =>
      lines(
        'package main',
        '',
        'import (',
        '\t"io"',
        '\t"net/http"',
        '\t"os"',
        '\t"strings"',
        ')',
        '',
        'func main() {',
        `\tbody := strings.NewReader(${doubleQuoted(compact(request))})`,
        `\tresponse, err := http.Post(${doubleQuoted(origin + request.path)}, "application/json", body)`,
        '\tif err != nil {',
        '\t\tpanic(err)',
        '\t}',
        '\tdefer response.Body.Close()',
        '\tio.Copy(os.Stdout, response.Body)',
        '}',
      ),
  },
  {
    id: 'rust',
    language: 'Rust',
    write: (origin, request) =>
      lines(
        '// cargo add reqwest --features blocking',
        'fn main() -> Result<(), reqwest::Error> {',
        `    let body = ${rawRust(compact(request))};`,
        '    let response = reqwest::blocking::Client::new()',
        `        .post(${doubleQuoted(origin + request.path)})`,
        '        .header("content-type", "application/json")',
        '        .body(body)',
        '        .send()?;',
        '    println!("{}", response.text()?);',
        '    Ok(())',
        '}',
      ),
  },
  {
    id: 'java',
    language: 'Java',
    write: (origin, request) =>
      lines(
        'import java.net.URI;',
        'import java.net.http.*;',
        '',
        'public class Call {',
        '    public static void main(String[] args) throws Exception {',
        `        String body = ${javaString(compact(request))};`,
        `        HttpRequest request = HttpRequest.newBuilder(URI.create(${doubleQuoted(origin + request.path)}))`,
        '            .header("Content-Type", "application/json")',
        '            .POST(HttpRequest.BodyPublishers.ofString(body))',
        '            .build();',
        '        System.out.println(HttpClient.newHttpClient()',
        '            .send(request, HttpResponse.BodyHandlers.ofString()).body());',
        '    }',
        '}',
      ),
  },
  {
    id: 'r',
    language: 'R',
    write: (origin, request) =>
      lines(
        'library(httr2)',
        '',
        `request(${doubleQuoted(origin + request.path)}) |>`,
        `  req_body_raw(${doubleQuoted(compact(request))}, type = "application/json") |>`,
        '  req_error(is_error = \\(response) FALSE) |>',
        '  req_perform() |>',
        '  resp_body_json(simplifyVector = TRUE)',
      ),
  },
];
