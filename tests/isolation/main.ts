/**
 * `npm run isolation [-- --json]`: tries every way past the tenant wall that the catalogue offers,
 * on every engine, and then breaks the wall on purpose to see whether the attempts notice.
 */
import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { printError, printLine } from '../../shared/runtime/command-output.ts';
import { exitCode } from '../../shared/runtime/errors.ts';
import { type Engine, engines, openTestDatabase } from '../support/postgres.ts';
import { judgeMutants } from './mutants.ts';
import { judgeStage, onStage, type Stage } from './suite.ts';

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

interface Proof {
  readonly cases: number;
  readonly leaks: number;
  readonly blocked: number;
  readonly mutants: number;
  readonly killed: number;
  readonly killed_by_attempts: number;
  readonly survivors: readonly string[];
}

/** Each engine is a server of its own and keeps one core busy, so they run side by side. */
async function prove(): Promise<object> {
  const chosen = engines.filter(({ name, binaries }) => {
    if (!name.includes(options.engine)) return false;
    if (binaries === undefined || existsSync(binaries)) return true;
    printLine(`${name}: not installed`);
    return false;
  });
  const proofs = await Promise.all(chosen.map(proveOn));
  const total = (key: Exclude<keyof Proof, 'survivors'>) =>
    proofs.reduce((sum, proof) => sum + proof[key], 0);
  const document = {
    engines: chosen.map(({ name }, place) => ({ engine: name, ...proofs[place] })),
    cases: total('cases'),
    leaks: total('leaks'),
    blocked: total('blocked'),
    mutants: total('mutants'),
    killed: total('killed'),
    killed_by_attempts: total('killed_by_attempts'),
  };
  const share = document.mutants === 0 ? 1 : document.killed / document.mutants;
  if (document.leaks + document.blocked > 0 || share < 0.99) process.exitCode = exitCode.fault;
  return document;
}

async function proveOn(engine: Engine): Promise<Proof> {
  const database = await openTestDatabase(engine);
  try {
    return await onStage(database, async (stage) => {
      const attempts = await judgeAttempts(engine.name, stage);
      const unbroken = { mutants: 0, killed: 0, killed_by_attempts: 0, survivors: [] };
      if (!options.mutants) return { ...attempts, ...unbroken };
      const judged = await judgeMutants(stage);
      printLine(`${engine.name}: ${judged.killed} of ${judged.mutants} mutants killed`);
      for (const name of judged.survivors) printLine(`  survived  ${name}`);
      return { ...attempts, ...judged };
    });
  } finally {
    await database.close();
  }
}

async function judgeAttempts(engine: string, stage: Stage) {
  const { cases, failures } = await judgeStage(stage);
  const leaks = failures.filter(({ kind }) => kind === 'leak').length;
  const blocked = failures.length - leaks;
  printLine(`${engine}: ${cases} cases, ${leaks} leaks (limit 0), ${blocked} blocked`);
  for (const one of failures.slice(0, shown_max)) {
    printLine(`  ${one.kind}  ${one.attempt}: ${one.detail}`);
  }
  return { cases, leaks, blocked };
}
