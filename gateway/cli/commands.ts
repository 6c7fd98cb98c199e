/**
 * The commands of `footbridge`, each loaded when it is typed: a person waits for the imports of one
 * command, not of all.
 */
import type { Command } from 'commander';
import type { Installation } from './setting.ts';

type Add = (program: Command, installation: Installation) => void;

/** By first word, in the order of the help. A module may add several. */
const modules = new Map<string, () => Promise<Add>>([
  ['run', async () => (await import('./run-command.ts')).addRunCommands],
  ['check-config', async () => (await import('./run-command.ts')).addRunCommands],
  ['enroll', async () => (await import('./enroll-command.ts')).addEnrollCommand],
  ['sensor', async () => (await import('./sensor-command.ts')).addSensorCommands],
  ['source', async () => (await import('./source-command.ts')).addSourceCommands],
  ['profile', async () => (await import('./profile-command.ts')).addProfileCommands],
  ['status', async () => (await import('./status-command.ts')).addStatusCommands],
  ['buffer', async () => (await import('./status-command.ts')).addStatusCommands],
  ['doctor', async () => (await import('./doctor-command.ts')).addDoctorCommand],
  ['diag', async () => (await import('./diag-command.ts')).addDiagCommand],
  ['completion', async () => (await import('./completion.ts')).addCompletionCommand],
]);

/** Options before the command that take a value. */
const valued = ['--config', '--data-dir'];

/** Adds the command that is typed; all of them where none is, for the help and for its suggestions. */
export async function addCommands(
  program: Command,
  installation: Installation,
  typed: readonly string[],
): Promise<void> {
  const first = firstWord(typed) ?? '';
  // The completion is about all of them.
  const load = first === 'completion' ? undefined : modules.get(first);
  const wanted = load === undefined ? [...modules.values()] : [load];
  const adds = new Set(await Promise.all(wanted.map((each) => each())));
  for (const add of adds) add(program, installation);
}

function firstWord(typed: readonly string[]): string | undefined {
  return typed.find((word, i) => !word.startsWith('-') && !valued.includes(typed[i - 1] ?? ''));
}
