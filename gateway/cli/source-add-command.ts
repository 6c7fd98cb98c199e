/** `footbridge source add`: a connection more, in the configuration's file. */
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { printJson, printLine } from '../../shared/runtime/command-output.ts';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import { withSource } from '../config/add-source.ts';
import { default_config_path } from '../config/config.ts';
import { wholeNumber } from './whole-number.ts';

interface AddOptions {
  kind: string;
  host?: string;
  port?: string;
  path?: string;
  baud?: string;
  parity?: string;
  url?: string;
  json?: boolean;
}

export function addSourceAdd(source: Command): void {
  source
    .command('add <name>')
    .description('write a connection into the configuration; what stands there stays')
    .requiredOption(
      '--kind <kind>',
      'modbus-tcp, modbus-rtu, modbus-rtu-tcp, serial, mqtt-connect …',
    )
    .option('--host <address>', 'Modbus TCP and converters: the device’s address')
    .option('--port <number>', 'where it listens, or where the gateway does')
    .option('--path <file>', 'serial lines: the port by the name that stays')
    .option('--baud <number>', 'Modbus RTU: speed of the line')
    .option('--parity <how>', 'Modbus RTU: none, even or odd')
    .option('--url <url>', 'mqtt-connect: the broker')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
What else a source takes (TLS, logins, topics) is written into the file by hand.

Examples:
  footbridge source add beams --kind modbus-tcp --host 10.0.0.7
  footbridge source add rs485 --kind modbus-rtu --path /dev/serial/by-id/usb-FTDI_A1-if00-port0`,
    )
    .action((name: string, options: AddOptions, command: Command) => {
      const { config: file = default_config_path } = command.optsWithGlobals<{ config?: string }>();
      const { kind, host, path, parity, url, json } = options;
      const added = {
        name,
        kind,
        ...given({ host, path, parity, url }),
        ...wholeNumber('port', options.port),
        ...wholeNumber('baud', options.baud),
      };
      const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
      write(file, withSource(file, text, added));
      if (json === true) return printJson({ file, source: added });
      printLine(`${name} stands in ${file}; the gateway opens it when it starts again:`);
      printLine('  systemctl restart footbridge');
    });
}

function given(options: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(options).filter((entry) => entry[1] !== undefined)) as {
    [option: string]: string;
  };
}

/** Whole or not at all, with the mode it had. */
function write(file: string, text: string): void {
  const mode = existsSync(file) ? statSync(file).mode : 0o644;
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.new`, text, { mode });
    renameSync(`${file}.new`, file);
  } catch (cause) {
    const hint = 'Use sudo, or name a file of your own with --config.';
    throw new FootbridgeError('not_permitted', errorText(cause), { cause, hint });
  }
}
