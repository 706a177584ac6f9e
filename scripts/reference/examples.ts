/** The commands of a page and the answers that it prints: a block of shell, and behind it one of JSON. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const EXAMPLE = /```sh\n(?<script>(?:(?!```).)*?)```(?<between>(?:\s|<!--[^>]*-->)*)```json\n(?<answer>.*?)```/gs;

/** The service in a page's commands. */
const PRINTED = 'http://127.0.0.1:8080';

export interface Example {
  readonly script: string;
  /** As it is printed. */
  readonly answer: string;
}

export function examplesIn(page: string): Example[] {
  return [...page.matchAll(EXAMPLE)].map(({ groups: { script, answer } = {} }) => ({ script, answer }));
}

/**
 * What a command prints when it is run in a shell.
 * @param origin where the service listens
 * @param cwd the folder that it is run in
 * @throws where it fails
 */
export async function answerTo({ script }: Example, origin = PRINTED, cwd = '.'): Promise<string> {
  const command = script.replaceAll(PRINTED, origin);
  const { stdout } = await promisify(execFile)('bash', ['-euc', command], { cwd, timeout: 10_000 });
  return stdout;
}

/** The page with the answers that the service at `origin` gives now. */
export async function withAnswers(page: string, origin: string): Promise<string> {
  const answers: string[] = [];
  for (const example of examplesIn(page)) answers.push(await answerTo(example, origin));
  let next = 0;
  return page.replace(
    EXAMPLE,
    (_, script: string, between: string) => `\`\`\`sh\n${script}\`\`\`${between}\`\`\`json\n${answers[next++]}\n\`\`\``,
  );
}
