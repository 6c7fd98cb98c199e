/** `footbridge-hq completion`: what a shell offers behind Tab. */
import { Argument, Command } from 'commander';
import { commandTree } from '../../shared/completion/command-tree.ts';
import { completionScript, type Shell, shells } from '../../shared/completion/completion-script.ts';

/** @param program all commands, once they are put together. */
export function completionCommand(program: () => Command): Command {
  return new Command('completion')
    .description('Print the completion of these commands for bash, zsh or fish.')
    .addArgument(new Argument('<shell>', 'whose completion').choices(shells))
    .addHelpText('after', '\nExample:\n  source <(footbridge-hq completion bash)')
    .action((shell: Shell) => {
      process.stdout.write(completionScript(shell, commandTree(program())));
    });
}
