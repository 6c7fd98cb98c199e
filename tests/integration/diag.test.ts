import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { dataFiles } from '../../gateway/config/config.ts';
import { askDaemon } from '../../gateway/local/local-client.ts';
import { writeCredential } from '../../gateway/sync/credential.ts';
import { command, commandIn, end, freePort, service } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 60_000 });
const workspace = new Workspace();

/** Everything that must not leave the store, by where it lies. */
const secrets = {
  broker_url: 'Br0ker-url-pa55',
  broker_file: 'br0ker "file" pass/word',
  shared_login: 'shared-l0gin-pass',
  proxy_login: 'pr0xy-pass',
  proxy_environment: 'env-pr0xy-pass',
  page_pin: '4711',
  credential: 'cred3ntial-of-this-gateway-0123456789',
  key_line: 'MC4CAQAwBQYDK2VwBCIEIBprivatekeyofthisgateway',
  other_key: 'MHcCAQEEIOtherKeyOfSomebody',
  logged_token: 'fbt_t0ken-that-somebody-typed',
  logged_bearer: 'fbg_5f0c_bearer-of-a-request',
  logged_password: 'typed-into-a-wr0ng-field',
  logged_key: 'http-push-k3y',
  webhook: 'T00000000/B0000/webh00kpath',
  webhook_secret: 'whsec_d2ViaG9vaw==',
  found_by_check: 'mistaken-for-a-p0rt',
};

function settings(folder: string, ports: { broker: number; page: number }): object {
  const file = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, `${text}\n`);
    return path;
  };
  const key = `-----BEGIN PRIVATE KEY-----\n${secrets.key_line}\n-----END PRIVATE KEY-----`;
  const shared = { username: 'site', password_file: file('shared', secrets.shared_login) };
  return {
    data_dir: join(folder, 'data'),
    profiles_dir: join(folder, 'profiles'),
    page: { port: ports.page, pin_file: file('pin', secrets.page_pin) },
    hq: {
      proxy: {
        url: 'http://127.0.0.1:9',
        username: 'gateway',
        password_file: file('proxy', secrets.proxy_login),
      },
      key_file: file('hq-key.pem', key),
      cert_file: file('hq-cert.pem', key),
    },
    sources: [
      { name: 'own', kind: 'mqtt-listen', host: '127.0.0.1', port: ports.broker, users: [shared] },
      {
        name: 'building',
        kind: 'mqtt-connect',
        url: `mqtt://footbridge:${secrets.broker_url}@127.0.0.1:9`,
        password_file: file('broker', secrets.broker_file),
      },
    ],
  };
}

function logText(): string {
  const of = (fields: object) => JSON.stringify({ level: 40, time: 1, ...fields });
  return [
    of({ source: 'building', detail: `cannot log in with ${secrets.broker_file}` }),
    of({ msg: `refused mqtt://footbridge:${secrets.broker_url}@10.0.0.2` }),
    of({ headers: { authorization: `Bearer ${secrets.logged_bearer}` } }),
    of({ url: `/west?key=${secrets.logged_key}`, pin: Number(secrets.page_pin) }),
    of({ msg: `the PIN ${secrets.page_pin} was typed`, password: secrets.logged_password }),
    `Nov 21 10:00:00 store footbridge[1]: sent ${secrets.logged_token}`,
    `Authorization: Bearer ${secrets.logged_bearer}`,
    `curl -u x password=${secrets.logged_password}`,
    `/etc/footbridge/footbridge.yaml:2  page.port  Invalid (found "${secrets.found_by_check}")`,
    `POST https://hooks.chat.example/services/${secrets.webhook} signed ${secrets.webhook_secret}`,
    `proxy http://gateway:${secrets.proxy_environment}@127.0.0.1:9 gave up on ${secrets.credential}`,
    `-----BEGIN PRIVATE KEY-----\n${secrets.key_line}\n-----END PRIVATE KEY-----`,
    `a line of a key alone: ${secrets.key_line}`,
    `-----BEGIN EC PRIVATE KEY-----\n${secrets.other_key}\n-----END EC PRIVATE KEY-----`,
    'the last line of the log',
  ].join('\n');
}

function unpacked(folder: string, file: string): Map<string, string> {
  execFileSync('tar', ['-xzf', file, '-C', folder]);
  const top = join(folder, 'footbridge-diag');
  const names = readdirSync(top);
  return new Map(names.map((name) => [name, readFileSync(join(top, name), 'utf8')]));
}

/** Broken text, escaped text and addresses hide a secret from a plain look. */
function seenIn(texts: Iterable<string>): string[] {
  const all = [...texts].join('\n');
  return Object.entries(secrets)
    .filter(([, secret]) => {
      const spelled = [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)];
      return spelled.some((each) => all.includes(each));
    })
    .map(([where]) => where);
}

test('a bundle of a running gateway says all there is, and none of its secrets', async () => {
  const folder = workspace.folder();
  const ports = { broker: await freePort(), page: await freePort() };
  mkdirSync(join(folder, 'data'));
  const config = join(folder, 'footbridge.yaml');
  const file = settings(folder, ports) as { data_dir: string };
  writeFileSync(config, JSON.stringify(file));
  writeFileSync(join(folder, 'log'), logText());
  writeCredential(dataFiles(file).credential, {
    hq_url: 'http://127.0.0.1:9',
    gateway_id: '00000000-0000-4000-8000-000000000001',
    credential_id: '00000000-0000-4000-8000-000000000002',
    secret: secrets.credential,
    organization: 'Acme',
    store: 'Madrid 1',
    timezone: 'Europe/Madrid',
  });
  const running = service('footbridge', '--config', config, 'run');
  workspace.onEnd(() => end(running));
  const { socket, sensors } = dataFiles(file);
  await vi.waitFor(() => askDaemon(socket, 'GET', '/status'), { timeout: 30_000 });
  const pair = ['sensor', 'pair', 'door', '--profile', 'json-total', '--topic', 'door', '--login'];
  const source = ['--source', 'own'];
  const paired = await command('footbridge', '--config', config, ...pair, ...source, '--json');
  expect(paired.stderr).toBe('');
  const login = JSON.stringify(JSON.parse(paired.stdout)).match(/"password":"([^"]+)"/)?.[1] ?? '';

  const out = join(folder, 'diag.tar.gz');
  const environment = {
    HTTPS_PROXY: `http://gateway:${secrets.proxy_environment}@127.0.0.1:9`,
  };
  const words = ['--config', config, 'diag', '--out', out, '--log', join(folder, 'log')];
  const made = await commandIn(environment, 'footbridge', ...words);
  expect([made.code, made.stderr]).toEqual([0, '']);
  expect(statSync(out).mode & 0o777).toBe(0o600);

  const parts = unpacked(folder, out);
  expect([...parts.keys()].sort()).toEqual([
    'buffer.json',
    'configuration.json',
    'doctor.json',
    'log.txt',
    'runs.json',
    'sensors.json',
    'status.json',
    'versions.json',
  ]);
  expect(seenIn([logText()]).length).toBeGreaterThan(12);
  expect(seenIn(parts.values())).toEqual([]);
  expect(login.length).toBeGreaterThan(8);
  const { secret_sha256 } = JSON.parse(readFileSync(sensors, 'utf8')).sensors[0];
  expect([...parts.values()].join('')).not.toContain(login);
  expect([...parts.values()].join('')).not.toContain(secret_sha256);

  const json = (name: string) => JSON.parse(parts.get(name) ?? '');
  expect(json('status.json').uplink.enrolled.store).toBe('Madrid 1');
  expect(json('status.json').sensors[0].sensor_id).toBe('door');
  expect(json('configuration.json').sources[1].url).toBe('mqtt://[removed]@127.0.0.1:9');
  expect(json('buffer.json').statistics.buffered).toBe(0);
  expect(json('versions.json').node.node).toBe(process.versions.node);
  expect(json('doctor.json')[0].result).toBe('fault');
  expect(parts.get('log.txt')).toMatch(/the last line of the log$/);
});

test('a gateway that cannot start has a bundle as well, without what stands in the wrong field', async () => {
  const folder = workspace.folder();
  const config = join(folder, 'footbridge.yaml');
  writeFileSync(
    config,
    `# ${secrets.logged_password}\npage: { port: ${secrets.found_by_check} }\n`,
  );
  const out = join(folder, 'diag.tar.gz');
  const made = await command('footbridge', '--config', config, 'diag', '--out', out);
  expect([made.code, made.stderr]).toEqual([0, '']);
  const parts = unpacked(folder, out);
  expect(seenIn(parts.values())).toEqual([]);
  expect(parts.get('doctor.json')).toContain('configuration_wrong');
  expect(parts.get('doctor.json')).toContain('page.port');
});
