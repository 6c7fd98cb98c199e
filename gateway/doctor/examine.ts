/** The doctor: gathers what can be seen of this gateway, and has it judged. */
import type { FindingCode } from '../../shared/findings/catalogue.ts';
import { type Finding, found, worstFirst } from '../../shared/findings/finding.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import type { QuarantineRow } from '../buffer/entry.ts';
import type { Config, SourceConfig } from '../config/config.ts';
import { askDaemon } from '../local/local-client.ts';
import { readRuns } from '../local/run-record.ts';
import { SensorRegistry } from '../pairing/sensor-registry.ts';
import type { Catalogue } from '../profiles/catalogue.ts';
import { ScriptSandbox } from '../profiles/script-sandbox.ts';
import type { GatewayStatus } from '../status.ts';
import { brokerEvidence } from './broker-evidence.ts';
import { diagnose } from './diagnose.ts';
import type { Evidence } from './evidence.ts';
import { probeHq } from './hq-probe.ts';
import { diskEvidence, serviceEvidence, unit } from './machine-evidence.ts';
import { holdersOfFile, holdersOfPort, holdersText } from './process-table.ts';
import { fitEvidence } from './profile-fit.ts';
import { sharedLines } from './shared-lines.ts';
import { whyNotRunning } from './why-not-running.ts';

/** Where a gateway has its things. */
export interface Place {
  readonly config: Config;
  readonly files: { buffer: string; runs: string; sensors: string; socket: string };
  catalogue(): Catalogue;
}

interface Surroundings {
  readonly installed_version: string;
  /** Variables of the environment that name a proxy, or null. */
  readonly proxy: string | null;
  readonly clock: Clock;
}

const quarantine_rows = 200;
/** A daemon under load answers within a second; whoever waits stands on a ladder. */
const answer_deadline_ms = 5_000;

type Examined = Surroundings & Pick<Place, 'config' | 'files'> & { readonly catalogue: Catalogue };

/**
 * Worst first: the first finding names the cause.
 *
 * @param open reads the configuration, and may throw what is wrong with it.
 */
export async function examine(open: () => Place, around: Surroundings): Promise<Finding[]> {
  let place: Place;
  try {
    place = open();
  } catch (error) {
    return [mistakeIn(error)];
  }
  const shared = sharedLines(place.config.sources);
  if (shared.length > 0) return shared;
  let catalogue: Catalogue = new Map();
  const mistakes: Finding[] = [];
  try {
    catalogue = place.catalogue();
    new SensorRegistry(place.files.sensors, catalogue);
  } catch (error) {
    // The pairing is closed to people of the group; a daemon that runs has read it.
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') mistakes.push(mistakeIn(error));
  }
  const findings = await examineRunning({ ...place, ...around, catalogue });
  const runs = findings.every(({ code }) => code !== 'daemon_stopped');
  // A gateway that runs keeps the profiles that it has, and says itself which file is wrong.
  const told = mistakes.filter(({ code }) => !(runs && code === 'profile_broken'));
  return worstFirst([...told, ...findings]);
}

/** @throws what is no mistake of a person. */
function mistakeIn(error: unknown): Finding {
  if (!(error instanceof FootbridgeError)) throw error;
  return found('configuration', mistakeCode(error), errorText(error));
}

function mistakeCode(error: FootbridgeError): FindingCode {
  const { cause } = error;
  if (cause instanceof FootbridgeError && cause.code === 'sensor_conflict') {
    return 'pairing_duplicate';
  }
  return error.code === 'profile_invalid' ? 'profile_broken' : 'configuration_wrong';
}

async function examineRunning(examined: Examined): Promise<Finding[]> {
  const { config, files } = examined;
  const service = config.data_dir === unit.data_dir ? serviceEvidence(unit.name) : null;
  let status: GatewayStatus;
  let quarantine: QuarantineRow[];
  try {
    const ask = <T>(path: string) =>
      askDaemon<T>(files.socket, 'GET', path, undefined, answer_deadline_ms);
    status = await ask<GatewayStatus>('/status');
    quarantine = await ask<QuarantineRow[]>(`/quarantine?limit=${quarantine_rows}`);
  } catch (error) {
    if (!(error instanceof FootbridgeError)) throw error;
    if (error.code === 'not_running') return whyNotRunning(examined, service);
    return [found('daemon', silenceCode(error), errorText(error))];
  }
  return diagnose(await gather(examined, { status, quarantine, service }));
}

/** Why a daemon that is there did not tell how it is. */
function silenceCode({ code }: FootbridgeError): FindingCode {
  if (code === 'not_permitted') return 'socket_forbidden';
  return code === 'not_answering' ? 'daemon_hangs' : 'buffer_unwritable';
}

async function gather(
  { config, files, catalogue, installed_version, proxy, clock }: Examined,
  told: Pick<Evidence, 'status' | 'quarantine' | 'service'>,
): Promise<Evidence> {
  const { status, quarantine } = told;
  const { enrolled, sync } = status.uplink;
  const isUndelivered = enrolled !== null && sync !== null && sync.error !== null;
  const sandbox = new ScriptSandbox(clock);
  const fits = await fitEvidence({
    ...{ sensors: status.sensors, rows: quarantine, catalogue },
    runScript: sandbox.run,
  });
  await sandbox.close();
  return {
    ...told,
    now: clock.now(),
    installed_version,
    runs: readRuns(files.runs),
    disk: diskEvidence(files.buffer),
    fits,
    holders: new Map(config.sources.map((source) => [source.name, holdersOf(source)])),
    page_holder: holdersText(holdersOfPort(config.page.port)),
    serial_paths: new Map(config.sources.flatMap((s) => ('path' in s ? [[s.name, s.path]] : []))),
    brokers: brokerEvidence(config.sources),
    hq: isUndelivered ? await probeHq(enrolled.hq_url, config.hq, clock) : null,
    proxy: config.hq.proxy?.url ?? proxy,
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  };
}

/** Asked of every source, used of those that fail; our own daemon then holds nothing of it. */
function holdersOf(source: SourceConfig): string | null {
  if ('path' in source) return holdersText(holdersOfFile(source.path));
  const listens = source.kind === 'mqtt-listen' || source.kind === 'http-listen';
  return listens ? holdersText(holdersOfPort(source.port)) : null;
}
