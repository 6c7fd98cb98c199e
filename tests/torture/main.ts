/**
 * `npm run torture -- [NAME] --runs N --seed S [--json]`: long runs against a law, replayable by
 * their seed. Exits 1 when the law is broken.
 */
import { Command } from 'commander';
import { systemClock } from '../../shared/runtime/clock.ts';
import { printError, printLine } from '../../shared/runtime/command-output.ts';
import { exitCode } from '../../shared/runtime/errors.ts';

/** A run under torture; `isHeld` says whether the law held. */
export interface Tortured {
  readonly lines: readonly string[];
  readonly document: Readonly<Record<string, unknown>>;
  readonly isHeld: boolean;
}
type Torture = (runs: number, seed: number, tell: (text: string) => void) => Promise<Tortured>;

/** `runs` unless --runs says otherwise. Loaded on demand, so that none disturbs the others. */
const tortures: Record<string, { runs: number; load: () => Promise<Torture> }> = {
  path: {
    runs: 50,
    load: async () => {
      const { tortureThePath } = await import('./path.ts');
      return async (runs, seed, tell) => {
        const result = await tortureThePath(runs, seed, tell);
        const { kills, power_cuts, scenarios, rows, quarantined, buffered, lost, doubled } = result;
        return {
          document: { ...result },
          isHeld: lost + doubled + buffered === 0,
          lines: [
            `${kills} kills, ${power_cuts} power cuts, ${rows} messages: ${lost} lost, ` +
              `${doubled} doubled, ${quarantined} refused and in the ledger, ${buffered} left`,
            scenarios.map(({ name, count }) => `${name} ${count}`).join(', '),
          ],
        };
      };
    },
  },
  rtu: { runs: 1_000_000, load: async () => (await import('./rtu-torture.ts')).rtuTorture },
  zones: {
    runs: 1,
    load: async () => {
      const { tortureTheZones } = await import('./zones.ts');
      return async (_runs, _seed, tell) => {
        const result = await tortureTheZones(tell);
        const { zones, changes, rows, hours, wrong } = result;
        return {
          document: { ...result },
          isHeld: wrong === 0,
          lines: [
            `${zones} zones, ${changes} changes of the clock, ${rows} readings, ${hours} hours: ${wrong} wrong`,
          ],
        };
      };
    },
  },
  payloads: {
    runs: 1_000_000,
    load: async () => {
      const { torturePayloads } = await import('./payloads.ts');
      return async (runs, seed) => {
        const result = await torturePayloads(runs, seed);
        const { records, ignored, faults, crashes, stalls, slowest_ms } = result;
        return {
          document: { ...result },
          isHeld: crashes === 0 && stalls === 0,
          lines: [
            `${runs} payloads: ${records} with readings, ${ignored} ignored, ${faults} to quarantine; ` +
              `${crashes} crashes, ${stalls} stalls, slowest ${slowest_ms} ms`,
          ],
        };
      };
    },
  },
};

const program = new Command('torture')
  .description('Breaks things at random moments and checks that the law holds.')
  .argument('[name]', Object.keys(tortures).join(', '), 'path')
  .option('--runs <number>', 'how often (path: 50 kills, rtu: 1000000 answers)')
  .option('--seed <number>', 'the same seed does the same harm')
  .option('--json', 'print one JSON document as the last line')
  .addHelpText('after', '\nExample:\n  npm run torture -- --runs 1000 --seed 7 --json')
  .parse();
const options = program.opts<{ runs?: string; seed?: string; json?: boolean }>();
const [name = 'path'] = program.args;
const chosen = tortures[name];
if (chosen === undefined) {
  process.stderr.write(`no torture "${name}"; there are: ${Object.keys(tortures).join(', ')}\n`);
  process.exitCode = exitCode.usage;
} else {
  try {
    const seed = Number(options.seed ?? Math.floor(systemClock.random() * 1e6));
    process.stderr.write(`seed ${seed}\n`);
    const torture = await chosen.load();
    const runs = Number(options.runs ?? chosen.runs);
    const { lines, document, isHeld } = await torture(runs, seed, (text) => {
      process.stderr.write(`${text}\n`);
    });
    for (const line of lines) printLine(line);
    if (options.json === true) printLine(JSON.stringify(document));
    process.exitCode = isHeld ? exitCode.good : exitCode.fault;
  } catch (error) {
    printError(error);
  }
}
process.exit();
