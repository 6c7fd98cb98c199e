/** What the doctor looks at, gathered before anything is judged. */
import type { QuarantineRow } from '../buffer/entry.ts';
import type { Run } from '../local/run-record.ts';
import type { GatewayStatus } from '../status.ts';

/** The disk that holds the data directory. */
export interface DiskEvidence {
  readonly free_bytes: number;
  readonly total_bytes: number;
  /** Name of a file system that keeps nothing or lies elsewhere, or null. */
  readonly volatile: string | null;
  /** Share of its life that flash memory has used, percent, as the device says; null: it does not. */
  readonly worn_percent: number | null;
  /** Damaged buffers that were set aside. */
  readonly set_aside: readonly string[];
}

/** What systemd says of the unit. */
export interface ServiceEvidence {
  readonly active: string;
  readonly enabled: string;
  /** Why the last run ended: `success`, `watchdog`, `exit-code`, `oom-kill`, … */
  readonly result: string;
  readonly restarts: number;
}

/** A request to HQ, made by the doctor itself. */
export type HqProbe =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly is_hq: boolean;
      readonly by: string;
    }
  | { readonly kind: 'failed'; readonly error: string };

/** A broker on this machine that keeps acknowledged messages in memory. */
export interface BrokerEvidence {
  readonly source: string;
  /** The settings as found, for people. */
  readonly settings: string;
}

/** A message in quarantine of a paired sensor, and the profiles that would read it. */
export interface FitEvidence {
  readonly sensor_id: string;
  readonly reason: string;
  readonly profiles: readonly string[];
}

/** Of a daemon that answers. */
export interface Evidence {
  readonly now: number;
  readonly installed_version: string;
  readonly status: GatewayStatus;
  readonly runs: readonly Run[];
  readonly service: ServiceEvidence | null;
  readonly disk: DiskEvidence;
  readonly quarantine: readonly QuarantineRow[];
  readonly fits: readonly FitEvidence[];
  /** By source: who else has its port or line, or null where nobody was found. */
  readonly holders: ReadonlyMap<string, string | null>;
  /** Who else has the page's port, or null. */
  readonly page_holder: string | null;
  /** By source: the path of its serial line. */
  readonly serial_paths: ReadonlyMap<string, string>;
  readonly brokers: readonly BrokerEvidence[];
  /** Null while HQ gets everything. */
  readonly hq: HqProbe | null;
  /** The proxy of the configuration, else what variables of the environment name; null: none. */
  readonly proxy: string | null;
  /** IANA name of this machine's time zone. */
  readonly timezone: string;
}
