/** A request as a program that makes it, in the languages that callers have. Each needs no more than it names. */
import type { ServiceRequest } from '../state/request.js';
import { doubleQuoted, prettyJson, python, rawRust, shellQuoted } from './literal.js';

export interface Snippet {
  readonly id: string;
  readonly language: string;
  readonly write: (origin: string, request: ServiceRequest) => string;
}

const lines = (...all: readonly string[]): string => all.join('\n');

const compact = ({ body }: ServiceRequest): string => JSON.stringify(body);

export const snippets: readonly Snippet[] = [
  {
    id: 'curl',
    language: 'curl',
    write: (origin, request) =>
      lines(
        `curl -s ${shellQuoted(origin + request.path)} \\`,
        `  -H 'content-type: application/json' \\`,
        `  -d ${shellQuoted(compact(request))}`,
      ),
  },
  {
    id: 'python',
    language: 'Python',
    write: (origin, { path, body }) =>
      lines(
        'import json',
        'import urllib.request',
        '',
        `body = ${python(body)}`,
        'request = urllib.request.Request(',
        `    ${doubleQuoted(origin + path)},`,
        '    json.dumps(body).encode(),',
        '    {"Content-Type": "application/json"},',
        ')',
        'with urllib.request.urlopen(request) as response:',
        '    print(json.load(response))',
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
        'console.log(await response.json());',
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
        '// [dependencies] ureq = "3"',
        'fn main() -> Result<(), ureq::Error> {',
        `    let body = ${rawRust(compact(request))};`,
        `    let mut response = ureq::post(${doubleQuoted(origin + request.path)})`,
        '        .header("content-type", "application/json")',
        '        .send(body)?;',
        '    println!("{}", response.body_mut().read_to_string()?);',
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
        `        String body = ${doubleQuoted(compact(request))};`,
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
        '  req_perform() |>',
        '  resp_body_json(simplifyVector = TRUE)',
      ),
  },
];
