/** The examples of a page: a shell command followed by the JSON that it prints. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** More than a hundred times as long as any example takes; it only ends a command that hangs. */
const HOPELESS_MS = 120_000;

const EXAMPLE = /```sh\n(?<script>(?:(?!```).)*?)```(?<between>(?:\s|<!--[^>]*-->)*)```json\n(?<answer>.*?)```/gs;

/** The address of the service in the commands of a page. */
const PRINTED = 'http://127.0.0.1:8080';

export interface Example {
  readonly script: string;
  /** The JSON in the page. */
  readonly answer: string;
}

export function examplesIn(page: string): Example[] {
  return [...page.matchAll(EXAMPLE)].map(({ groups: { script, answer } = {} }) => ({ script, answer }));
}

/**
 * Runs a command in a shell.
 * @param origin the address of the service
 * @param cwd the working directory
 * @returns its standard output
 * @throws if the command fails
 */
export async function answerTo({ script }: Example, origin = PRINTED, cwd = '.'): Promise<string> {
  const command = script.replaceAll(PRINTED, origin);
  const { stdout } = await promisify(execFile)('bash', ['-euc', command], { cwd, timeout: HOPELESS_MS });
  return stdout;
}

/** The `type` of a problem; undefined for any other answer. */
function problemIn(answer: string): string | undefined {
  const { type } = JSON.parse(answer) as { type?: unknown };
  return typeof type === 'string' && type.startsWith('/problems/') ? type : undefined;
}

/**
 * @returns the page with its answers replaced by those of the service at `origin`
 * @throws if an answer is a problem that the page does not print, so that an error never enters the documentation
 * unnoticed
 */
export async function withAnswers(page: string, origin: string): Promise<string> {
  const answers: string[] = [];
  for (const example of examplesIn(page)) {
    const answer = await answerTo(example, origin);
    const problem = problemIn(answer);
    if (problem !== undefined && problem !== problemIn(example.answer))
      throw new Error(`the answer is a problem that the page does not print:\n${example.script}${answer}`);
    answers.push(answer);
  }
  let next = 0;
  return page.replace(
    EXAMPLE,
    (_, script: string, between: string) => `\`\`\`sh\n${script}\`\`\`${between}\`\`\`json\n${answers[next++]}\n\`\`\``,
  );
}
