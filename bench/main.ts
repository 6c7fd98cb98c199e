/**
 * `npm run bench -- NAME [--json]`: one measurement, printed beside a limit that is measured in the
 * same run. Machines are noisy: read the ratios, and medians of several rounds.
 */
import { Command } from 'commander';
import { printError, printLine } from '../shared/runtime/command-output.ts';
import { exitCode } from '../shared/runtime/errors.ts';

/** What a measurement found: printed as lines for people, as one document with --json. */
export interface Measured {
  /** One line a figure, with its limit. */
  readonly lines: readonly string[];
  readonly document: Readonly<Record<string, unknown>>;
}

export interface MeasureOptions {
  /** How large, where a measurement can be of several sizes. */
  readonly rows?: number;
}
type Bench = { measure: (options: MeasureOptions) => Promise<Measured> };

/** One measurement a file. Loaded on demand, so that none disturbs the others. */
const benches: Record<string, () => Promise<Bench>> = {
  backlog: () => import('./backlog.ts'),
  decode: () => import('./decode.ts'),
  drain: () => import('./drain.ts'),
  'first-store': () => import('./first-store.ts'),
  footprint: () => import('./footprint.ts'),
  herd: () => import('./herd.ts'),
  ingest: () => import('./ingest.ts'),
  rollup: () => import('./rollup.ts'),
  rls: () => import('./rls.ts'),
};

const program = new Command('bench')
  .description('Measures one part against a limit of the same run.')
  .argument('<name>', Object.keys(benches).join(', '))
  .option(
    '--rows <number>',
    'how many readings (backlog: 5000000 in the buffer, footprint: 1000000)',
  )
  .option('--json', 'print one JSON document as the last line')
  .addHelpText('after', '\nExample:\n  npm run bench -- ingest --json')
  .parse();
const [name = ''] = program.args;
const load = benches[name];
if (load === undefined) {
  process.stderr.write(`no bench "${name}"; there are: ${Object.keys(benches).join(', ')}\n`);
  process.exitCode = exitCode.usage;
} else {
  try {
    const { rows, json } = program.opts<{ rows?: string; json?: boolean }>();
    const options = rows === undefined ? {} : { rows: Number(rows) };
    const { lines, document } = await (await load()).measure(options);
    for (const line of lines) printLine(line);
    if (json === true) printLine(JSON.stringify(document));
  } catch (error) {
    printError(error);
  }
}
process.exit();
