/**
 * The gateway, put together: sources → profiles → meters → buffer → sync, each part started in
 * order and stopped in reverse.
 */
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { systemBoot, systemClock } from '../shared/runtime/clock.ts';
import { Lifecycle, type Part } from '../shared/runtime/lifecycle.ts';
import type { Log } from '../shared/runtime/log.ts';
import { type NotifyEnvironment, sdNotify } from '../shared/runtime/sd-notify.ts';
import { quotaBytes } from './buffer/quota-bytes.ts';
import { ReadingBuffer } from './buffer/reading-buffer.ts';
import { ClockWitness } from './clock-witness.ts';
import { type Config, dataFiles } from './config/config.ts';
import { Dating } from './dating.ts';
import { LocalServer } from './local/local-server.ts';
import { openPage } from './local/open-page.ts';
import { runRecord } from './local/run-record.ts';
import { WalkTests } from './local/walk-tests.ts';
import { DesiredNames } from './pairing/desired-names.ts';
import { discovered } from './pairing/discovery.ts';
import { Pairing } from './pairing/pairing.ts';
import { Scans } from './pairing/scans.ts';
import { SensorRegistry } from './pairing/sensor-registry.ts';
import { Strangers } from './pairing/strangers.ts';
import { Pipeline } from './pipeline.ts';
import { type Catalogue, loadCatalogue } from './profiles/catalogue.ts';
import { ScriptSandbox } from './profiles/script-sandbox.ts';
import { SiteProfiles } from './profiles/site-profiles.ts';
import { certificatesOf } from './sources/certificates.ts';
import { KeptSubscriptions } from './sources/kept-subscriptions.ts';
import { openSource } from './sources/open-source.ts';
import { gatewayStatus, heartbeatOf, type StatusParts, sensorStatus } from './status.ts';
import { CommissioningOutbox } from './sync/commissioning-outbox.ts';
import { Uplink } from './sync/uplink.ts';

export interface GatewayOptions {
  readonly config: Config;
  /** The profiles that come with the program. */
  readonly built_in: Catalogue;
  readonly version: string;
  readonly notify: NotifyEnvironment;
  readonly log: Log;
  /** In place of what the settings say, below what they take: a torture has to reach the quota. */
  readonly buffer_limits?: { readonly quota_bytes: number; readonly rows_kept: number };
}

/** @returns the running gateway; call `stop` to end it. */
export async function startGateway(options: GatewayOptions): Promise<{ stop(): Promise<void> }> {
  const { config, built_in, version, log } = options;
  const clock = systemClock;
  const files = dataFiles(config);
  mkdirSync(config.data_dir, { recursive: true });

  const catalogue = new Map([...built_in, ...loadCatalogue([config.profiles_dir])]);
  const profiles = new SiteProfiles(
    { folder: config.profiles_dir, built_in, clock, log },
    catalogue,
  );
  const registry = new SensorRegistry(files.sensors, catalogue);
  const names = new DesiredNames(files.names, registry, log);
  const { buffer, recovered } = await ReadingBuffer.open({
    path: files.buffer,
    mode: config.buffer.commit,
    quota_bytes: quotaBytes(config),
    delivered_rows: config.buffer.keep_delivered,
    ...options.buffer_limits,
    clock,
    log,
  });
  if (recovered.set_aside !== null) log.error({ detail: recovered.set_aside }, 'buffer_damaged');
  const { schema } = recovered;
  if (schema.from !== 0 && schema.from !== schema.to) {
    log.info(schema, 'the buffer was brought to the schema of this version');
  }
  const report_interval_ms = config.report_interval_s * 1000;
  const sandbox = new ScriptSandbox(clock);
  const strangers = new Strangers();
  const witness = new ClockWitness();
  const dating = new Dating({ buffer, recovered, boot: systemBoot(), clock, witness, log });
  const pipeline = new Pipeline({
    registry,
    buffer,
    recovered,
    dating,
    runScript: sandbox.run,
    strangers,
    tell: (name, topic, bytes) => {
      const source = sources.find((each) => each.name === name);
      if (source !== undefined && 'publish' in source) source.publish(topic, bytes);
    },
    report_interval_ms,
    clock,
    log,
  });
  const accept = pipeline.accept.bind(pipeline);
  const subscriptions = new KeptSubscriptions(files.subscriptions);
  const around = { accept, clock, log, hostname: hostname(), subscriptions };
  const sources = await Promise.all(config.sources.map((source) => openSource(source, around)));
  const pairing = new Pairing(config.sources, registry, sources);
  profiles.onChange((name) => pairing.renewProfile(name));

  const started_at = clock.now();
  const parts: StatusParts = {
    version,
    instance: clock.uuid(),
    started_at,
    buffer,
    sources,
    registry,
    names,
    pipeline,
    profiles,
    clock,
    data_dir: config.data_dir,
    certificates: certificatesOf(config.sources),
    page: () => page.status(),
  };
  const outbox = new CommissioningOutbox(files.commissioning);
  const uplink = new Uplink({
    credential: { own: files.credential, handed: config.hq.credential_file },
    hq: config.hq,
    buffer,
    report: () => heartbeatOf(parts),
    outbox,
    names,
    send_interval_ms: config.send_interval_s * 1000,
    retry_max_ms: config.retry_max_s * 1000,
    heartbeat_interval_ms: config.heartbeat_interval_s * 1000,
    clock,
    log,
  });
  witness.asksHq(() => uplink.status().clock_skew_ms);
  const status = () => gatewayStatus(parts, uplink.status());
  const { tally } = pipeline;
  const walkTests = new WalkTests({
    registry,
    tally,
    keep: (record) => outbox.keep(record, uplink.status().enrolled?.gateway_id ?? null),
    clock,
  });
  const page = openPage(config.page, { status, tally, walkTests, clock, log });
  const local = new LocalServer(files.socket, {
    status,
    quarantine: (limit) => buffer.quarantine(limit),
    scans: new Scans({ configs: config.sources, pairing, registry, catalogue, clock }),
    counts: (sensor_id) => ({ ...tally.total(sensor_id), inside: tally.inside(sensor_id) }),
    discovered: () =>
      discovered({
        sources: config.sources,
        registry,
        strangers,
        catalogue,
        runScript: sandbox.run,
      }),
    sensor: (sensor_id) => registry.named(sensor_id).sensor,
    pair: (sensor, isReplaced) => sensorStatus(pairing.pair(sensor, isReplaced), pipeline),
    pairAll: (wanted) => pairing.pairAll(wanted).map((each) => sensorStatus(each, pipeline)),
    unpair: (sensor_id) => pairing.unpair(sensor_id),
    beginWalkTest: (request) => walkTests.begin(request),
    walkTest: () => walkTests.status(),
    finishWalkTest: (ended) => walkTests.finish(ended),
    giveUpWalkTest: () => walkTests.giveUp(),
  });
  const closing: Part[] = [
    { name: 'buffer', start: () => {}, stop: () => buffer.close() },
    { name: 'scripts', start: () => {}, stop: () => sandbox.close() },
  ];
  const notify = sdNotify({
    environment: options.notify,
    // A trip through the writer thread and the file. A full disk is no hang: a restart cures none.
    makesProgress: () =>
      buffer.stats().then(
        () => true,
        () => false,
      ),
    clock,
  });

  const lifecycle = new Lifecycle(clock, log);
  pairing.applyToSources();
  const runs = runRecord({ path: files.runs, version, clock, log });
  await lifecycle.start([
    ...closing,
    dating,
    runs,
    local,
    page,
    uplink,
    profiles,
    ...sources,
    notify,
  ]);
  log.info({ version, data_dir: config.data_dir, sensors: registry.list().length }, 'counting');
  return { stop: () => lifecycle.stop() };
}
