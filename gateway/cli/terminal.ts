/** What a person sees beyond plain lines: colour, a line that changes, questions. All on stderr. */
import { createInterface } from 'node:readline/promises';
import { styleText } from 'node:util';
import { systemClock } from '../../shared/runtime/clock.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';

type Style = 'green' | 'yellow' | 'red' | 'bold' | 'dim';

/** Coloured where the output is a terminal that can, and NO_COLOR does not forbid it. */
export function styled(style: Style, text: string, stream = process.stdout): string {
  return stream.isTTY === true && stream.hasColors() ? styleText(style, text) : text;
}

/** Whether somebody sits there who can answer. */
export function isAttended(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** One line that is written over while something goes on; nothing where nobody watches. */
export class LiveLine {
  readonly #shown = process.stderr.isTTY === true;

  show(text: string): void {
    if (this.#shown) process.stderr.write(`\r\x1b[K${text}`);
  }

  end(): void {
    this.show('');
  }
}

/** Asks until the answer is allowed. An empty answer is the proposal. */
export async function ask(
  question: string,
  proposal: string,
  faultOf: (answer: string) => string | null = () => null,
): Promise<string> {
  for (;;) {
    const typed = (
      await answerTo(`${question}${proposal === '' ? '' : ` [${proposal}]`}: `)
    ).trim();
    const answer = typed === '' ? proposal : typed;
    const fault = answer === '' ? 'an answer is needed' : faultOf(answer);
    if (fault === null) return answer;
    process.stderr.write(`  ${fault}\n`);
  }
}

/** @returns the number of the choice, from 0. */
export async function choose(question: string, choices: readonly string[]): Promise<number> {
  choices.forEach((choice, i) => {
    process.stderr.write(`  ${i + 1}  ${choice}\n`);
  });
  const answer = await ask(question, '1', (text) => {
    const isOne = /^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= choices.length;
    return isOne ? null : `type a number from 1 to ${choices.length}`;
  });
  return Number(answer) - 1;
}

export async function confirm(question: string): Promise<boolean> {
  const answer = await ask(`${question} (y/n)`, 'y', (text) =>
    /^(y|yes|n|no)$/i.test(text) ? null : 'type y or n',
  );
  return /^y/i.test(answer);
}

/** Shows what changes until the person types Enter. */
export async function showUntilEnter(look: () => Promise<string>, every_ms: number): Promise<void> {
  const line = new LiveLine();
  const entered = new AbortController();
  const answer = answerTo('').finally(() => entered.abort());
  while (!entered.signal.aborted) {
    line.show(`${await look()}   (Enter ends)`);
    await systemClock.sleep(every_ms, entered.signal);
  }
  line.end();
  await answer;
}

async function answerTo(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const ended = new AbortController();
  lines.once('close', () => ended.abort());
  try {
    return await lines.question(question, { signal: ended.signal });
  } catch (cause) {
    // Ctrl-C or Ctrl-D at a question: nothing has been changed by it.
    throw new FootbridgeError('usage', 'ended at a question', { cause });
  } finally {
    lines.close();
  }
}
