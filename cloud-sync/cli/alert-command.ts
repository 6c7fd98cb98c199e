/** `footbridge-hq alert list|acknowledge|mute|unmute`. */
import type { Command } from 'commander';
import { printJson, printLine, printTable } from '../../shared/runtime/command-output.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { alertKinds } from '../health/alert-types.ts';
import { acknowledgeAlert, muteAlerts, unmuteAlerts } from '../health/answer-alerts.ts';
import type { AlertRow } from '../reports/alerts.ts';
import { alertsOf } from '../reports/alerts.ts';
import { command, group } from './command.ts';
import type { CommonOptions } from './context.ts';
import { createContext, withDatabase } from './context.ts';
import { personAsking } from './person-asking.ts';

interface Asking extends CommonOptions {
  readonly org: string;
  readonly as: string;
}

export function alertCommand(package_root: string): Command {
  const asking = (name: string, about: { summary: string; example: string }) =>
    command(name, about)
      .requiredOption('--org <slug>', 'organization')
      .requiredOption('--as <email>', 'the person asking');

  const list = asking('list', {
    summary: 'Alerts that are open, of the stores that this person may see.',
    example: 'footbridge-hq alert list --org acme --as mar@acme.example',
  })
    .option('--all', 'those that are resolved as well')
    .action(async (options: Asking & { all?: boolean }) => {
      const alerts = await withDatabase(createContext(package_root, options), async (db) =>
        alertsOf(db, await personAsking(db, options), options.all !== true),
      );
      if (options.json) printJson({ organization: options.org, alerts });
      else {
        const columns = ['id', 'since', 'severity', 'store', 'alert', 'state', 'taken on by'];
        printTable(columns, alerts.map(alertRow));
      }
    });

  const acknowledge = asking('acknowledge', {
    summary: 'Say that somebody has taken an alert on: nobody is reminded of it.',
    example:
      'footbridge-hq alert acknowledge 0192… --org acme --as mar@acme.example --note "visit on Monday"',
  })
    .argument('<id>', 'from alert list')
    .option('--note <text>', 'what is being done', '')
    .action(async (id: string, options: Asking & { note: string }) => {
      const { title } = await withDatabase(createContext(package_root, options), async (db) =>
        acknowledgeAlert(db, await personAsking(db, options), { id, note: options.note }),
      );
      if (options.json) printJson({ organization: options.org, id, acknowledged: true });
      else printLine(`Acknowledged: ${title}.`);
    });

  const mute = asking('mute', {
    summary: 'Tell nobody about a store for a while. Its alerts are still raised and shown.',
    example:
      'footbridge-hq alert mute --org acme --store mad-1 --hours 48 --type sensor_blind --reason "window works" --as mar@acme.example',
  })
    .requiredOption('--store <code>', 'store')
    .requiredOption('--hours <n>', 'for how long, up to 720')
    .option('--type <type>', 'only alerts of this type')
    .option('--reason <text>', 'why', '')
    .action(
      async (options: Asking & { store: string; hours: string; type?: string; reason: string }) => {
        const context = createContext(package_root, options);
        const until = new Date(context.clock.now() + parseHours(options.hours) * 3_600_000);
        const { store, reason } = options;
        const alert_type = parseType(options.type);
        await withDatabase(context, async (db) =>
          muteAlerts(db, await personAsking(db, options), { store, alert_type, until, reason }),
        );
        if (options.json) printJson({ organization: options.org, store, muted_until: until });
        else printLine(`Muted ${store} until ${until.toISOString()}.`);
      },
    );

  const unmute = asking('unmute', {
    summary: 'End every mute of a store.',
    example: 'footbridge-hq alert unmute --org acme --store mad-1 --as mar@acme.example',
  })
    .requiredOption('--store <code>', 'store')
    .action(async (options: Asking & { store: string }) => {
      const ended = await withDatabase(createContext(package_root, options), async (db) =>
        unmuteAlerts(db, await personAsking(db, options), options.store),
      );
      if (options.json) printJson({ organization: options.org, store: options.store, ended });
      else printLine(`Ended ${ended} mutes of ${options.store}.`);
    });

  return group('alert', 'Alerts: list, acknowledge, mute.', [list, acknowledge, mute, unmute]);
}

function alertRow(one: AlertRow): (string | Date | null)[] {
  const state = one.muted_until === null ? one.state : `${one.state}, muted`;
  return [one.id, one.created_at, one.severity, one.store, one.title, state, one.acknowledged_by];
}

function parseHours(text: string): number {
  const hours = Number(text);
  if (!(hours > 0 && hours <= 720)) {
    throw new FootbridgeError('usage', `--hours "${text}": use up to 720`);
  }
  return hours;
}

function parseType(text: string | undefined): string | undefined {
  if (text === undefined || text in alertKinds) return text;
  const known = Object.keys(alertKinds).join(', ');
  throw new FootbridgeError('usage', `--type "${text}": use one of ${known}`);
}
