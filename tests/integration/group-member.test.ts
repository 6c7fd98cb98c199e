import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { dataFiles } from '../../gateway/config/config.ts';
import { askDaemon } from '../../gateway/local/local-client.ts';
import { writeCredential } from '../../gateway/sync/credential.ts';
import { end, entry, type Finished, freePort } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 90_000 });
const workspace = new Workspace();

/** Numbers that no account has, as the service, somebody of its group and a stranger. */
const daemon = { uid: 64_001, gid: 64_001 };
const member = ['--reuid=64002', '--regid=64002', `--groups=${daemon.gid}`];
const stranger = ['--reuid=64003', '--regid=64003', '--clear-groups'];
const service = [`--reuid=${daemon.uid}`, `--regid=${daemon.gid}`, '--clear-groups'];

interface Installed {
  readonly config: string;
  readonly data_dir: string;
}

/** As the package and its unit leave it: the folder 0750, the umask 077. */
async function installed(): Promise<Installed> {
  const folder = workspace.folder();
  chmodSync(folder, 0o755);
  const data_dir = join(folder, 'data');
  mkdirSync(data_dir, { mode: 0o750 });
  chownSync(data_dir, daemon.uid, daemon.gid);
  const config = join(folder, 'footbridge.yaml');
  const source = {
    name: 'sensors',
    kind: 'mqtt-listen',
    host: '127.0.0.1',
    port: await freePort(),
  };
  writeFileSync(config, JSON.stringify({ data_dir, page: { enabled: false }, sources: [source] }));
  return { config, data_dir };
}

async function started({ config, data_dir }: Installed): Promise<void> {
  const words = ['-c', 'umask 077; exec "$@"', 'sh', 'setpriv', ...service];
  const run = [process.execPath, entry.footbridge, '--config', config, 'run'];
  const running = spawn('sh', [...words, ...run], { stdio: 'ignore' });
  workspace.onEnd(() => end(running));
  const { socket } = dataFiles({ data_dir });
  await vi.waitFor(() => askDaemon(socket, 'GET', '/status'), { timeout: 30_000 });
}

function as(who: readonly string[], { config }: Installed, ...words: string[]): Promise<Finished> {
  const all = [...who, process.execPath, entry.footbridge, '--config', config, ...words];
  return new Promise((resolve) => {
    const child = spawn('setpriv', all, { stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => {
      output.stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output.stderr += chunk;
    });
    child.on('close', (code) => resolve({ code, ...output }));
  });
}

const pair = ['sensor', 'pair', 'door', '--profile', 'json-total', '--topic', 'door'];

/** Only root can be several accounts; and they must reach the program, as they cannot below /root. */
const isReachable = spawnSync('setpriv', [...service, 'test', '-r', entry.footbridge]).status === 0;

describe.skipIf(!isReachable)(
  'an installed gateway (root, from a folder that all may read)',
  () => {
    test('lets who is in its group pair, test and look, and opens no file for it', async () => {
      const place = await installed();
      await started(place);
      expect((await as(member, place, ...pair)).stderr).toBe('');
      const looks = [
        ['sensor', 'list'],
        ['sensor', 'show', 'door'],
        ['sensor', 'export'],
        ['status'],
        ['source', 'test', 'sensors', '--for', '0.1'],
        ['sensor', 'walk-test', 'door', '--for', '1'],
      ];
      for (const words of looks) {
        const { stdout, stderr } = await as(member, place, ...words);
        expect(stdout, words.join(' ')).not.toBe('');
        expect(stderr, words.join(' ')).not.toMatch(/EACCES|ERR_SYSTEM/);
      }
      const doctor = await as(member, place, 'doctor');
      expect(doctor.stdout).toContain('[not_enrolled]');
      expect(doctor.stderr).toBe('');
      const open = readdirSync(place.data_dir).filter((name) => {
        const { mode } = statSync(join(place.data_dir, name));
        return (mode & 0o077) !== 0;
      });
      expect(open).toEqual(['footbridge.sock']);
      expect((await as(member, place, 'sensor', 'unpair', 'door')).code).toBe(0);
    });

    test('turns away who is not', async () => {
      const place = await installed();
      await started(place);
      const { code, stderr } = await as(stranger, place, ...pair);
      expect([code, stderr]).toEqual([1, expect.stringContaining('(not_permitted)')]);
    });

    test('reads what root enrolled and paired while it did not run', async () => {
      const place = await installed();
      const { credential, sensors } = dataFiles(place);
      const id = '00000000-0000-4000-8000-000000000001';
      writeCredential(credential, {
        ...{ hq_url: 'http://127.0.0.1:9', gateway_id: id, credential_id: id, secret: 'x' },
        ...{ organization: 'Acme', store: 'Madrid 1', timezone: 'Europe/Madrid' },
      });
      expect((await as([], place, ...pair)).stderr).toBe('');
      for (const file of [credential, sensors]) {
        const { uid, gid, mode } = statSync(file);
        expect([uid, gid, mode & 0o777]).toEqual([daemon.uid, daemon.gid, 0o600]);
      }
      await started(place);
      const status = await as(member, place, 'status');
      expect(status.stdout).toContain('Madrid 1 of Acme');
      expect(status.stdout).toContain('door');
    });
  },
);
