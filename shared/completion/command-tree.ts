/** The commands of a program as their completion and the test of the documents see them. */

/** As commander has them; only what is asked for here. */
interface DefinedOption {
  readonly long?: string | undefined;
  readonly short?: string | undefined;
  readonly description: string;
  readonly required: boolean;
  readonly hidden: boolean;
  readonly argChoices?: string[] | undefined;
}
export interface DefinedCommand {
  name(): string;
  description(): string;
  readonly commands: readonly DefinedCommand[];
  readonly options: readonly DefinedOption[];
  readonly registeredArguments: readonly { readonly argChoices?: string[] | undefined }[];
}

export interface Word {
  readonly word: string;
  readonly about: string;
}

/** What may follow some words of a command line. */
export interface Place {
  /** The words so far, such as `sensor pair`; empty behind the program's name. */
  readonly at: string;
  readonly commands: readonly Word[];
  /** What its first argument may be, where that is a short list. */
  readonly values: readonly Word[];
  readonly options: readonly Word[];
}

export interface CommandTree {
  readonly program: string;
  /** The program first, every command behind it. */
  readonly places: readonly Place[];
  /** Options of any command that take a value. */
  readonly valued: readonly string[];
}

const help: Word = { word: '--help', about: 'display help for command' };

export function commandTree(program: DefinedCommand): CommandTree {
  const places: Place[] = [];
  const valued = new Set<string>();
  const add = (command: DefinedCommand, at: string) => {
    const options = command.options.filter(({ hidden }) => !hidden);
    for (const { required, long, short } of options) {
      if (required) for (const each of [long, short]) if (each !== undefined) valued.add(each);
    }
    places.push({
      at,
      commands: command.commands.map((each) => ({ word: each.name(), about: each.description() })),
      values: (command.registeredArguments[0]?.argChoices ?? []).map((word) => ({
        word,
        about: command.description(),
      })),
      options: [
        ...options.map(({ long, short, description }) => ({
          word: long ?? short ?? '',
          about: description,
        })),
        help,
      ],
    });
    for (const each of command.commands) add(each, `${at} ${each.name()}`.trim());
  };
  add(program, '');
  return { program: program.name(), places, valued: [...valued].sort() };
}
