/**
 * A plain Debian to try packages in: made by debootstrap from the mirror that apt is configured with,
 * kept as a base, and booted from its own systemd in namespaces of its own, network included. What is
 * changed in it is gone when it ends. Needs root.
 */
import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import type { Clock } from '../shared/runtime/clock.ts';

/** The oldest Debian that brings Node.js 20. */
const suite = 'trixie';
/** What the packages' dependencies and documented commands install, fetched beforehand. */
const fetched = ['nodejs', 'postgresql', 'udev'];
const namespaces = ['-m', '-p', '-f', '-n', '-i', '-u', '-C'];
const path = '/usr/sbin:/usr/bin:/sbin:/bin';
const boot_ms_max = 60_000;

/** What keeps this machine from booting one, or null. */
export function missingForDebian(): string | null {
  if (process.getuid?.() !== 0) return 'root';
  if (spawnSync('debootstrap', ['--version']).error !== undefined) return 'debootstrap';
  const mounting = 'mount --make-rprivate / && mount -t cgroup2 cgroup2 /mnt';
  const tried = spawnSync('unshare', [...namespaces, 'sh', '-c', mounting]);
  return tried.status === 0 ? null : 'leave for namespaces';
}

/** The base: made once and kept below the directory for temporary files. @returns its folder. */
export function debianBase(): string {
  const base = join(tmpdir(), `footbridge-debian-${suite}`);
  if (existsSync(base)) return base;
  const making = mkdtempSync(`${base}-`);
  try {
    const included = '--include=adduser,systemd-sysv';
    run('debootstrap', '--variant=minbase', included, suite, making, mirror());
    run('chroot', making, 'apt-get', 'install', '-y', '--download-only', ...fetched);
    renameSync(making, base);
  } catch (error) {
    rmSync(making, { recursive: true, force: true });
    if (!existsSync(base)) throw error;
  }
  return base;
}

/** As apt has it: a machine that installs Debian's packages can fetch these. */
function mirror(): string {
  const wanted = ['Created-By: Packages', 'Origin: Debian', 'Label: Debian'];
  const [site] = run('apt-get', 'indextargets', '--format', '$(SITE)', ...wanted).split('\n');
  if (site === undefined || site === '') throw new Error('apt knows no mirror of Debian');
  return site;
}

function run(program: string, ...parameters: string[]): string {
  return execFileSync(program, parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class DebianRoot {
  readonly #child: ChildProcess;
  readonly #work: string;
  readonly #init: number;

  private constructor(child: ChildProcess, work: string, init: number) {
    this.#child = child;
    this.#work = work;
    this.#init = init;
  }

  /** @returns when its systemd says that all it starts has started. */
  static async boot(base: string, clock: Clock): Promise<DebianRoot> {
    const work = mkdtempSync(join(tmpdir(), 'footbridge-booted-'));
    const script = join(import.meta.dirname, '../../packaging/boot-debian.sh');
    const words = [...namespaces, '--kill-child', 'sh', script, base, work];
    const child = spawn('unshare', words, { stdio: 'ignore', detached: true });
    const until = clock.monotonic() + boot_ms_max;
    while (clock.monotonic() < until && child.exitCode === null) {
      const init = childOf(child.pid ?? 0);
      if (init !== null) {
        const root = new DebianRoot(child, work, init);
        const { stdout } = await root.try('systemctl', 'is-system-running');
        if (/running|degraded/.test(stdout)) return root;
      }
      await clock.sleep(100);
    }
    child.kill('SIGKILL');
    throw new Error(`Debian did not start; exit ${child.exitCode}`);
  }

  /** Words that run what follows them inside, as root. */
  get entering(): readonly string[] {
    const env = ['env', '-i', 'HOME=/root', 'LANG=C.UTF-8', 'DEBIAN_FRONTEND=noninteractive'];
    return ['nsenter', '-t', String(this.#init), '-a', '-r', '-w', ...env, `PATH=${path}`];
  }

  /** Words that run what follows them out here, but in its network. */
  get inItsNetwork(): readonly string[] {
    return ['nsenter', '-t', String(this.#init), '-n'];
  }

  /** Where a file of it is seen from out here. */
  file(inside: string): string {
    return `/proc/${this.#init}/root${inside}`;
  }

  /** @returns where it lies inside. */
  copyIn(file: string): string {
    const inside = `/root/${basename(file)}`;
    cpSync(file, this.file(inside));
    return inside;
  }

  try(...words: string[]): Promise<Ran> {
    return ran([...this.entering, ...words]);
  }

  /** @returns what it prints. @throws Error with its output where it fails. */
  async inside(...words: string[]): Promise<string> {
    return printed(words, await this.try(...words));
  }

  async fromOutside(...words: string[]): Promise<string> {
    return printed(words, await ran([...this.inItsNetwork, ...words]));
  }

  async end(): Promise<void> {
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
    rmSync(this.#work, { recursive: true, force: true });
  }
}

function childOf(pid: number): number | null {
  const file = `/proc/${pid}/task/${pid}/children`;
  const [child] = existsSync(file) ? readFileSync(file, 'utf8').split(' ') : [];
  return child === undefined || child === '' ? null : Number(child);
}

async function ran([program = '', ...parameters]: readonly string[]): Promise<Ran> {
  try {
    return { code: 0, ...(await promisify(execFile)(program, parameters)) };
  } catch (error) {
    const { code, stdout, stderr } = error as Ran;
    return { code, stdout: stdout ?? '', stderr: stderr ?? String(error) };
  }
}

function printed(words: readonly string[], { code, stdout, stderr }: Ran): string {
  if (code !== 0) throw new Error(`${words.join(' ')}: exit ${code}\n${stdout}${stderr}`);
  return stdout;
}
