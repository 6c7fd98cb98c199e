/**
 * `npm run torture -- NAME [--runs N] [--seed S] [--json]`: one part of the product under everything
 * that can go wrong, seeded, so that what was found can be replayed. Exits 1 when a promise broke.
 */
import { Command } from 'commander';
import { printError, printLine } from '../shared/runtime/command-output.ts';
import { exitCode } from '../shared/runtime/errors.ts';

/** What a run found: printed as lines for people, as one document with --json. */
export interface Endured {
  readonly lines: readonly string[];
  readonly document: Readonly<Record<string, unknown>>;
  /** Whether every promise held. */
  readonly held: boolean;
}

export interface Ordeal {
  endure(runs: number | undefined, seed: number): Promise<Endured>;
}

/** One ordeal a file. Loaded on demand, so that none disturbs the others. */
const ordeals: Record<string, () => Promise<Ordeal>> = {
  rtu: () => import('./rtu-ordeal.ts'),
};

const program = new Command('torture')
  .description('Puts one part of the product under everything that can go wrong.')
  .argument('<name>', Object.keys(ordeals).join(', '))
  .option('--runs <number>', 'how much of it; see the ordeal for its measure')
  .option('--seed <number>', 'replay the run of this seed', '1')
  .option('--json', 'print one JSON document as the last line')
  .addHelpText('after', '\nExample:\n  npm run torture -- rtu --runs 1000000 --seed 1')
  .parse();
const [name = ''] = program.args;
const options = program.opts<{ runs?: string; seed: string; json?: boolean }>();
const load = ordeals[name];
if (load === undefined) {
  process.stderr.write(`no ordeal "${name}"; there are: ${Object.keys(ordeals).join(', ')}\n`);
  process.exitCode = exitCode.usage;
} else {
  try {
    const runs = options.runs === undefined ? undefined : Number(options.runs);
    const { lines, document, held } = await (await load()).endure(runs, Number(options.seed));
    for (const line of lines) printLine(line);
    if (options.json === true) printLine(JSON.stringify(document));
    if (!held) process.exitCode = exitCode.fault;
  } catch (error) {
    printError(error);
  }
}
process.exit();
