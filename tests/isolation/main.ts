/**
 * `npm run isolation [-- --json]`: tries every way past the tenant wall that the catalogue offers,
 * on every engine, and then breaks the wall on purpose to see whether the attempts notice.
 */
import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { printError, printLine } from '../../shared/runtime/command-output.ts';
import { exitCode } from '../../shared/runtime/errors.ts';
import { engines, openTestDatabase } from '../support/postgres.ts';
import { judgeMutants } from './mutants.ts';
import type { Failure } from './probe.ts';
import { judgeStage, onStage } from './suite.ts';

const program = new Command('isolation')
  .description(
    'Proves the tenant wall: every attempt on every engine, and mutants of the policies.',
  )
  .option('--json', 'print one JSON document as the last line')
  .option('--no-mutants', 'leave the mutants out')
  .option('--engine <text>', 'only engines whose name contains this, such as "embedded"', '')
  .addHelpText('after', '\nExample:\n  npm run isolation -- --json')
  .parse();
const options = program.opts<{ json?: boolean; mutants: boolean; engine: string }>();
const shown_max = 20;

try {
  const document = await prove();
  if (options.json === true) printLine(JSON.stringify(document));
} catch (error) {
  printError(error);
}
process.exit();

async function prove(): Promise<object> {
  const results: { engine: string; cases: number; leaks: number; blocked: number }[] = [];
  const mutants = { mutants: 0, killed: 0, killed_by_attempts: 0, survivors: [] as string[] };
  for (const engine of engines) {
    if (!engine.name.includes(options.engine)) continue;
    if (engine.binaries !== undefined && !existsSync(engine.binaries)) {
      printLine(`${engine.name}: not installed`);
      continue;
    }
    const database = await openTestDatabase(engine);
    try {
      await onStage(database, async (stage) => {
        const { cases, failures } = await judgeStage(stage);
        const of = (kind: Failure['kind']) => failures.filter((one) => one.kind === kind).length;
        const leaks = of('leak');
        const blocked = failures.length - leaks;
        results.push({ engine: engine.name, cases, leaks, blocked });
        printLine(`${engine.name}: ${cases} cases, ${leaks} leaks (limit 0), ${blocked} blocked`);
        for (const one of failures.slice(0, shown_max)) {
          printLine(`  ${one.kind}  ${one.attempt}: ${one.detail}`);
        }
        if (!options.mutants) return;
        const judged = await judgeMutants(stage);
        mutants.mutants += judged.mutants;
        mutants.killed += judged.killed;
        mutants.killed_by_attempts += judged.killed_by_attempts;
        mutants.survivors.push(...judged.survivors.map((name) => `${engine.name}: ${name}`));
        printLine(`${engine.name}: ${judged.killed} of ${judged.mutants} mutants killed`);
        for (const name of judged.survivors) printLine(`  survived  ${name}`);
      });
    } finally {
      await database.close();
    }
  }
  const total = (key: 'cases' | 'leaks' | 'blocked') =>
    results.reduce((sum, result) => sum + result[key], 0);
  const document = {
    engines: results,
    cases: total('cases'),
    leaks: total('leaks'),
    blocked: total('blocked'),
    ...mutants,
  };
  const share = mutants.mutants === 0 ? 1 : mutants.killed / mutants.mutants;
  if (document.leaks + document.blocked > 0 || share < 0.99) process.exitCode = exitCode.fault;
  return document;
}
