/** `footbridge completion`: what a shell offers behind Tab. */
import { Argument, type Command } from 'commander';
import { commandTree } from '../../shared/completion/command-tree.ts';
import { completionScript, type Shell, shells } from '../../shared/completion/completion-script.ts';

export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .description('print the completion of these commands for bash, zsh or fish')
    .addArgument(new Argument('<shell>', 'whose completion').choices(shells))
    .addHelpText(
      'after',
      `
The Debian package installs it. Elsewhere, for this shell alone:
  source <(footbridge completion bash)

Example:
  footbridge completion bash > ~/.local/share/bash-completion/completions/footbridge`,
    )
    .action((shell: Shell) => {
      process.stdout.write(completionScript(shell, commandTree(program)));
    });
}
