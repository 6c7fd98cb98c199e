/** The files that Debian wants in a package: control, changelog, copyright, maintainer scripts. */
import type { Architecture, Product } from './product.ts';

const maintainer = 'Footbridge <footbridge@example.org>';

export interface Release {
  /** Debian's version, from that of package.json. */
  readonly version: string;
  /** When CHANGELOG.md was last changed: what is built twice is the same twice. */
  readonly at: Date;
}

/** Addons fit one major version of Node; plain JavaScript runs on newer ones as well. */
function nodeDependency({ native }: Product): string[] {
  const [major = '20'] = process.versions.node.split('.');
  const oldest = 'nodejs (>= 20.19)';
  return native
    ? [oldest, `nodejs (<< ${Number(major) + 1}~)`, 'libc6 (>= 2.34)', 'libstdc++6']
    : [oldest];
}

export function control(
  product: Product,
  { version }: Release,
  architecture: Architecture | 'all',
  installed_bytes: number,
): string {
  const { name, summary, description, depends, recommends } = product;
  return [
    `Package: ${name}`,
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    'Section: net',
    'Priority: optional',
    `Maintainer: ${maintainer}`,
    `Installed-Size: ${Math.ceil(installed_bytes / 1024)}`,
    `Depends: ${[...nodeDependency(product), 'adduser', ...depends].join(', ')}`,
    ...(recommends.length === 0 ? [] : [`Recommends: ${recommends.join(', ')}`]),
    `Description: ${summary}`,
    ...description.map((line) => ` ${line}`),
    '',
  ].join('\n');
}

export function changelog({ name }: Product, { version, at }: Release): string {
  const date = at.toUTCString().replace('GMT', '+0000');
  return `${name} (${version}) stable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- ${maintainer}  ${date}\n`;
}

/** @param licences name, version and licence of every npm package inside. */
export function copyright(licences: readonly string[]): string {
  return [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/',
    '',
    'Files: *',
    'Copyright: The Footbridge authors',
    'License: Apache-2.0',
    ' On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.',
    '',
    'Files: node_modules/*',
    'Copyright: The authors of each package, named in its folder',
    'License: see-each-package',
    ...licences.map((line) => ` ${line}`),
    '',
  ].join('\n');
}

/** Starts what was enabled, tells the daemons what is new, asks nothing. */
export function maintainerScripts({ name, system_files, purged }: Product): Record<string, string> {
  const unit = `${name}.service`;
  const has = (suffix: string) => Object.keys(system_files).some((file) => file.endsWith(suffix));
  return {
    postinst: script(`if [ "$1" = configure ]; then
${has('.sysusers') ? `  systemd-sysusers ${name}.conf\n` : ''}  systemd-tmpfiles --create ${name}.conf || true
${has('.rules') ? '  udevadm control --reload 2>/dev/null || true\n' : ''}  deb-systemd-helper unmask ${unit} >/dev/null || true
  if deb-systemd-helper --quiet was-enabled ${unit}; then
    deb-systemd-helper enable ${unit} >/dev/null || true
  else
    deb-systemd-helper update-state ${unit} >/dev/null || true
  fi
  if [ -d /run/systemd/system ]; then
    systemctl --system daemon-reload >/dev/null || true
    if [ -n "$2" ]; then action=restart; else action=start; fi
    deb-systemd-invoke $action ${unit} >/dev/null || true
  fi
fi`),
    prerm: script(`if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  deb-systemd-invoke stop ${unit} >/dev/null || true
fi`),
    postrm: script(`if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload >/dev/null || true
fi
if [ "$1" = purge ]; then
  if [ -x /usr/bin/deb-systemd-helper ]; then
    deb-systemd-helper purge ${unit} >/dev/null || true
  fi
  rm -rf ${purged.join(' ')}
${has('.sysusers') ? `  if command -v deluser >/dev/null; then\n    deluser --quiet --system ${name} >/dev/null 2>&1 || true\n    delgroup --quiet ${name} >/dev/null 2>&1 || true\n  fi\n` : ''}fi`),
  };
}

function script(body: string): string {
  return `#!/bin/sh\nset -e\n${body}\nexit 0\n`;
}

/** Tags of lintian that are meant, each with its reason. */
export function lintianOverrides({ name, native }: Product): string {
  return [
    '# npm packages come as they were locked and tested, not as Debian has them.',
    `${name}: embedded-javascript-library *`,
    ...(native
      ? [
          '# SQLite is compiled in with synchronous=FULL and the options that the buffer was tested with.',
          `${name}: embedded-library *`,
        ]
      : []),
    '',
  ].join('\n');
}
