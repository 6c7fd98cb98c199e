/** What every command of `footbridge` starts from: the options before it, and the files they name. */
import type { Command } from 'commander';
import type { NotifyEnvironment } from '../../shared/runtime/sd-notify.ts';
import { type Config, dataFiles, readConfig } from '../config/config.ts';
import { type Catalogue, loadCatalogue } from '../profiles/catalogue.ts';

export interface Installation {
  /** How the person calls this program. */
  readonly called: string;
  readonly version: string;
  /** Folder of the profiles that come with the program. */
  readonly built_in_profiles: string;
  /** What systemd told this process. */
  readonly notify: NotifyEnvironment;
  /** Where journald reads our stderr; see shared/runtime/log.ts. */
  readonly journal: string | undefined;
  /** What the environment names as the way out, or null. */
  readonly proxy: string | null;
}

export interface Setting {
  readonly config: Config;
  readonly files: ReturnType<typeof dataFiles>;
  /** Read on demand: most commands need no profiles. */
  catalogue(): Catalogue;
  /** Without those of the site's folder. */
  builtIn(): Catalogue;
}

/** @throws FootbridgeError config_invalid */
export function settingOf(command: Command, installation: Installation): Setting {
  const { config: path, dataDir } = command.optsWithGlobals<{
    config?: string;
    dataDir?: string;
  }>();
  const config = readConfig(path, dataDir === undefined ? {} : { data_dir: dataDir });
  return {
    config,
    files: dataFiles(config),
    catalogue: () => loadCatalogue([installation.built_in_profiles, config.profiles_dir]),
    builtIn: () => loadCatalogue([installation.built_in_profiles]),
  };
}
