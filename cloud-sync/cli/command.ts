/** The options that every command has, and the form of its help. */
import { Command } from 'commander';

/** A command with its example; `--data-dir` and, where it prints data, `--json`. */
export function command(
  name: string,
  about: { summary: string; example: string; json?: boolean },
): Command {
  const made = new Command(name)
    .description(about.summary)
    .option(
      '--data-dir <dir>',
      'of the embedded server (FOOTBRIDGE_HQ_DATA_DIR, else ./.footbridge/hq)',
    )
    .addHelpText('after', `\nExample:\n  ${about.example}`);
  return about.json === false ? made : made.option('--json', 'print one JSON document');
}

/** A command that only holds others. */
export function group(name: string, summary: string, commands: readonly Command[]): Command {
  const made = new Command(name).description(summary);
  for (const one of commands) made.addCommand(one);
  const [first] = commands;
  return made.addHelpText('after', `\nExample:\n  footbridge-hq ${name} ${first?.name()} --help`);
}
