/**
 * `small-gateway.js CONFIG QUOTA_BYTES ROWS_KEPT`: `footbridge run` with a buffer that is full within
 * seconds. A store's smallest quota takes 64 MiB and never adds the newest 100,000 readings together;
 * filling that would take longer than a torture.
 */
import { join } from 'node:path';
import { readConfig } from '../../gateway/config/config.ts';
import { startGateway } from '../../gateway/main.ts';
import { loadCatalogue } from '../../gateway/profiles/catalogue.ts';
import { terminationSignal } from '../../shared/runtime/lifecycle.ts';
import { createLog } from '../../shared/runtime/log.ts';
import { root } from '../rules/sources.ts';

const [config_path, quota_bytes, rows_kept] = process.argv.slice(2);
const config = readConfig(config_path, {});
const stopped = terminationSignal();
const gateway = await startGateway({
  config,
  built_in: loadCatalogue([join(root, 'gateway/profiles/built-in')]),
  version: '0.1.0',
  notify: {},
  log: createLog({ level: config.log_level, name: 'footbridge', journal: undefined }),
  buffer_limits: { quota_bytes: Number(quota_bytes), rows_kept: Number(rows_kept) },
});
await stopped;
await gateway.stop();
process.exit();
