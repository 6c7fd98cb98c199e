/** How both doctors print what they found. */
import { printJson, printLine } from '../runtime/command-output.ts';
import { exitCode } from '../runtime/errors.ts';
import { type Finding, worstFirst } from './finding.ts';

const marks = { good: 'good   ', warning: 'WARNING', fault: 'FAULT  ' } as const;

/** Worst first, as lines or as one JSON document; sets the exit code. */
export function printFindings(findings: readonly Finding[], json: boolean): void {
  if (findings.some(({ result }) => result === 'fault')) process.exitCode = exitCode.fault;
  if (json) {
    printJson({ findings: worstFirst(findings) });
    return;
  }
  for (const { check, result, code, cause, seen, todo } of worstFirst(findings)) {
    const [first = '', ...more] = seen.split('\n');
    const what = cause === null ? first : `${cause} (${first}) [${code}]`;
    printLine(`${marks[result]}  ${check}: ${what}`);
    for (const line of more) printLine(`         ${line}`);
    if (todo !== null) printLine(`         Try: ${todo}`);
  }
}
