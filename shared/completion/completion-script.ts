/**
 * Completion for three shells, from the commands as they are defined. The scripts hold everything:
 * starting a program at each Tab would take longer than typing on.
 */
import type { CommandTree, Word } from './command-tree.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

export function completionScript(shell: Shell, tree: CommandTree): string {
  return { bash, zsh, fish }[shell](tree);
}

function bash(tree: CommandTree): string {
  const name = functionName(tree);
  const list = (words: readonly Word[]) => quoted(words.map(({ word }) => word).join(' '));
  const cases = tree.places.map(
    ({ at, commands, values, options }) =>
      `    ${quoted(at)}) words=${list([...commands, ...values])} options=${list(options)} ;;`,
  );
  return `# Completion of ${tree.program} for bash.
${name}() {
  local word=\${COMP_WORDS[COMP_CWORD]} at='' words='' options='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
    ${tree.valued.join('|')}) i=$((i + 1)) ;;
    -*) ;;
    *)
      case "\${at:+$at }\${COMP_WORDS[i]}" in
      ${pathsOf(tree)}) at="\${at:+$at }\${COMP_WORDS[i]}" ;;
      esac
      ;;
    esac
  done
  # The value of an option is the shell's own business: files.
  if ((i == COMP_CWORD)); then
    case "$at" in
${cases.join('\n')}
    esac
    if [[ $word == -* ]]; then words=$options; fi
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F ${name} ${tree.program}
`;
}

function zsh(tree: CommandTree): string {
  const name = functionName(tree);
  const described = (words: readonly Word[]) =>
    words
      .map(({ word, about }) => quoted(`${word.replaceAll(':', '\\:')}:${firstLine(about)}`))
      .join(' ');
  const cases = tree.places.map(
    (place) => `    ${quoted(place.at)})
      found=(${described([...place.commands, ...place.values])})
      options=(${described(place.options)})
      ;;`,
  );
  return `#compdef ${tree.program}
# Completion of ${tree.program} for zsh.
${name}() {
  local at='' i
  local -a found options
  for ((i = 2; i < CURRENT; i++)); do
    case "\${words[i]}" in
    ${tree.valued.join('|')}) i=$((i + 1)) ;;
    -*) ;;
    *)
      case "\${at:+$at }\${words[i]}" in
      ${pathsOf(tree)}) at="\${at:+$at }\${words[i]}" ;;
      esac
      ;;
    esac
  done
  if ((i > CURRENT)); then
    _files
    return
  fi
  case "$at" in
${cases.join('\n')}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then
    _describe -o option options
  elif ((\${#found})); then
    _describe command found
  else
    _files
  fi
}
if [[ "\${funcstack[1]}" == _${tree.program} ]]; then
  ${name} "$@"
else
  compdef ${name} ${tree.program}
fi
`;
}

function fish(tree: CommandTree): string {
  const name = functionName(tree);
  const lines = tree.places.flatMap((place) => {
    const here = `complete -c ${tree.program} -n '${name}_at "${place.at}"'`;
    return [
      ...[...place.commands, ...place.values].map(
        ({ word, about }) => `${here} -f -a ${word} -d ${quoted(firstLine(about))}`,
      ),
      ...place.options.map(({ word, about }) => {
        const value = tree.valued.includes(word) ? ' -r' : '';
        const form = word.startsWith('--') ? `-l ${word.slice(2)}` : `-s ${word.slice(1)}`;
        return `${here} ${form}${value} -d ${quoted(firstLine(about))}`;
      }),
    ];
  });
  return `# Completion of ${tree.program} for fish.
function ${name}_at
    set -l at
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip -eq 1
            set skip 0
            continue
        end
        switch $word
            case ${tree.valued.join(' ')}
                set skip 1
            case '-*'
            case '*'
                switch (string join ' ' $at $word)
                    case ${tree.places
                      .slice(1)
                      .map(({ at }) => quoted(at))
                      .join(' ')}
                        set -a at $word
                end
        end
    end
    test "$at" = "$argv[1]"
end
${lines.join('\n')}
`;
}

/** Every way of words that leads to a command, as patterns of a shell's `case`. */
function pathsOf({ places }: CommandTree): string {
  return places
    .slice(1)
    .map(({ at }) => quoted(at))
    .join('|');
}

function functionName({ program }: CommandTree): string {
  return `__${program.replaceAll('-', '_')}`;
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
