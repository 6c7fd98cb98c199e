/**
 * `npm run torture -- [NAME] --runs N --seed S [--json]`: long runs against a law, replayable by
 * their seed. Exits 1 when the law is broken.
 */
import { Command } from 'commander';
import { systemClock } from '../../shared/runtime/clock.ts';
import { printError, printLine } from '../../shared/runtime/command-output.ts';
import { exitCode, FootbridgeError } from '../../shared/runtime/errors.ts';
import { Campaign } from './campaign.ts';
import type { Torture, Tortured } from './tortured.ts';

/** `runs` unless --runs says otherwise. Loaded on demand, so that none disturbs the others. */
const tortures: Record<string, { runs: number; load: () => Promise<Torture> }> = {
  path: {
    runs: 50,
    load: async () => {
      const { tortureThePath } = await import('./path.ts');
      return async (asked, tell) => {
        const result = await tortureThePath({ ...asked, tell });
        const { kills, power_cuts, scenarios, rows, quarantined, buffered, lost, doubled } = result;
        const { misstated = 0, with_image = 0, untold, repeated, unclear, coalesced } = result;
        return {
          document: { ...result },
          isHeld: lost + doubled + buffered + misstated === 0,
          lines: [
            `${kills} kills, ${power_cuts} power cuts, ${rows} messages: ${lost} lost, ` +
              `${doubled} doubled, ${quarantined} refused and in the ledger, ${buffered} left`,
            ...(asked.images === undefined
              ? []
              : [
                  `${with_image} readings went with a disk and stand in the ledger (${misstated} wrong), ` +
                    `${untold} messages before HQ heard of them, ${repeated} came again; ` +
                    `${unclear} people of totals in quarantine, ${coalesced} readings added to others`,
                ]),
            scenarios.map(({ name, count }) => `${name} ${count}`).join(', '),
          ],
        };
      };
    },
  },
  images: {
    runs: 200,
    load: async () => {
      const { imagesTorture } = await import('./images-torture.ts');
      return imagesTorture;
    },
  },
  rtu: {
    runs: 1_000_000,
    load: async () => {
      const { rtuTorture } = await import('./rtu-torture.ts');
      return ({ runs, seed }, tell) => rtuTorture(runs, seed, tell);
    },
  },
  zones: {
    runs: 1,
    load: async () => {
      const { tortureTheZones } = await import('./zones.ts');
      return async (_asked, tell) => {
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
  silence: {
    runs: 2_000,
    load: async () => {
      const { watchSilence } = await import('./silence.ts');
      return async ({ runs, seed }) => {
        const result = watchSilence(runs, seed);
        const { sensor_years, false_alarms_per_sensor_year: a_year, delay_min } = result;
        return {
          document: { ...result },
          isHeld: a_year < 0.1 && delay_min <= 45,
          lines: [
            `${sensor_years} sensor-years: ${a_year.toFixed(3)} false alarms in each (limit 0.1), ` +
              `a dead one is called blind after ${delay_min.toFixed(1)} open minutes (limit 45)`,
          ],
        };
      };
    },
  },
  payloads: {
    runs: 1_000_000,
    load: async () => {
      const { torturePayloads } = await import('./payloads.ts');
      return async ({ runs, seed }) => {
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
  .option(
    '--runs <number>',
    'how often (path: 50 kills and cuts, images: 200 worlds, rtu: 1000000 answers, silence: 2000 doors)',
  )
  .option('--seed <number>', 'the same seed does the same harm')
  .option('--seeds <first-last>', 'one after another, added up in the file of --log')
  .option('--log <file>', 'where done seeds stand; those are left out when it is asked again')
  .option('--kills-per-cut <number>', 'path: kills to a power cut, on average')
  .option('--images <number>', 'path: so many of the kills put back an older image of the disk')
  .option('--json', 'print one JSON document as the last line')
  .addHelpText(
    'after',
    '\nExamples:\n  npm run torture -- --runs 1000 --seed 7 --json' +
      '\n  npm run torture -- path --runs 60 --seeds 1-20 --log kills.jsonl --kills-per-cut 5',
  )
  .parse();
interface Options {
  readonly runs?: string;
  readonly seed?: string;
  readonly seeds?: string;
  readonly log?: string;
  readonly killsPerCut?: string;
  readonly images?: string;
  readonly json?: boolean;
}
const options = program.opts<Options>();
const [name = 'path'] = program.args;
const chosen = tortures[name];
if (chosen === undefined) {
  process.stderr.write(`no torture "${name}"; there are: ${Object.keys(tortures).join(', ')}\n`);
  process.exitCode = exitCode.usage;
} else {
  try {
    const torture = await chosen.load();
    const kills_per_cut =
      options.killsPerCut === undefined ? undefined : Number(options.killsPerCut);
    const images = options.images === undefined ? undefined : Number(options.images);
    const run = (seed: number) => {
      tell(`seed ${seed}`);
      const runs = Number(options.runs ?? chosen.runs);
      return torture({ runs, seed, kills_per_cut, images }, tell);
    };
    const { lines, document, isHeld } = await (options.seeds === undefined
      ? run(Number(options.seed ?? Math.floor(systemClock.random() * 1e6)))
      : runAll(options.seeds, options.log, run));
    for (const line of lines) printLine(line);
    if (options.json === true) printLine(JSON.stringify(document));
    process.exitCode = isHeld ? exitCode.good : exitCode.fault;
  } catch (error) {
    printError(error);
  }
}
process.exit();

function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function runAll(
  seeds: string,
  log: string | undefined,
  run: (seed: number) => Promise<Tortured>,
): Promise<Tortured> {
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(seeds) ?? [];
  if (first === undefined || log === undefined) {
    throw new FootbridgeError('usage', 'use --seeds FIRST-LAST with --log FILE');
  }
  const campaign = new Campaign(log);
  for (let seed = Number(first); seed <= Number(last); seed += 1) {
    if (campaign.has(seed)) continue;
    const tortured = await run(seed);
    campaign.keep(seed, tortured);
    for (const line of tortured.lines) tell(line);
  }
  return campaign.result();
}
