/**
 * Which requests read what is polled. Pure.
 *
 * Polls of one unit whose registers touch are read in one request, and a poll is never spread over
 * two, so that the words of one value are read at one time.
 *
 * On a line without transaction numbers an answer names its unit, its function and its length, but
 * not its registers. So there no two requests to one unit may have answers of the same length: a
 * late or doubled answer then fits no other question, however late it comes. One of two that clash
 * reads a register more than it needs.
 */
import type { Poll } from './poll-schedule.ts';

/** One block of registers that is wanted as one frame; the bytes are the registers, high byte first. */
export interface ModbusPoll extends Poll {
  readonly unit: number;
  /** 3 reads holding registers, 4 input registers. */
  readonly function: 3 | 4;
  /** Address of the first register as it stands in the request: 40001 of a manual is 0. */
  readonly start: number;
  /** Registers, at most 125. */
  readonly count: number;
}

/** One request. Its address is that of its first poll. */
export interface ModbusBlock extends ModbusPoll {
  readonly polls: readonly ModbusPoll[];
  /** Registers at the end that nobody asked for. */
  readonly spare: number;
  /** Why it cannot be asked, or null. */
  readonly fault: string | null;
}

export const registers_max = 125;
const spare_max = 8;

export interface BlockRules {
  /** Whether answers name no request, as on a serial line. */
  readonly by_length: boolean;
  /** Addresses of blocks whose unit refused to read more than is needed. */
  readonly exact: ReadonlySet<string>;
}

export function modbusBlocks(polls: readonly ModbusPoll[], rules: BlockRules): ModbusBlock[] {
  const blocks = [...groups(polls).values()].flatMap(merged);
  return rules.by_length ? distinct(blocks, rules.exact) : blocks;
}

/** Polls that may share a request. */
function groups(polls: readonly ModbusPoll[]): Map<string, ModbusPoll[]> {
  const found = new Map<string, ModbusPoll[]>();
  for (const poll of polls) {
    const key = `${poll.unit}/${poll.function}/${poll.every_ms}`;
    found.set(key, [...(found.get(key) ?? []), poll]);
  }
  return found;
}

function merged(polls: readonly ModbusPoll[]): ModbusBlock[] {
  const blocks: ModbusBlock[] = [];
  for (const poll of polls.toSorted((a, b) => a.start - b.start)) {
    const last = blocks.at(-1);
    const end = poll.start + poll.count;
    const touches = last !== undefined && poll.start <= last.start + last.count;
    if (touches && end - last.start <= registers_max) {
      blocks[blocks.length - 1] = {
        ...last,
        count: Math.max(last.count, end - last.start),
        timeout_ms: Math.max(last.timeout_ms, poll.timeout_ms),
        polls: [...last.polls, poll],
      };
    } else {
      const device = `unit/${poll.unit}`;
      blocks.push({ ...poll, device, polls: [poll], spare: 0, fault: null });
    }
  }
  return blocks;
}

/** Gives every block of a unit and function a length of its own; those that cannot grow come first. */
function distinct(blocks: readonly ModbusBlock[], exact: ReadonlySet<string>): ModbusBlock[] {
  const taken = new Map<string, ModbusBlock>();
  const sized = new Map<ModbusBlock, ModbusBlock>();
  const canGrow = (block: ModbusBlock) => !exact.has(block.address);
  for (const block of blocks.toSorted((a, b) => Number(canGrow(a)) - Number(canGrow(b)))) {
    const lengths = canGrow(block) ? spare_max : 0;
    let spare = 0;
    while (spare < lengths && taken.has(answerName(block, spare))) spare += 1;
    const twin = taken.get(answerName(block, spare));
    const count = block.count + spare;
    const isPossible = count <= registers_max && block.start + count <= 65_536;
    if (twin === undefined && isPossible) {
      taken.set(answerName(block, spare), block);
      sized.set(block, { ...block, count, spare });
    } else {
      const fault = `its answer could not be told from that of ${twin?.address ?? 'another block'}; read the unit over Modbus TCP`;
      sized.set(block, { ...block, fault });
    }
  }
  return blocks.map((block) => sized.get(block) ?? block);
}

function answerName(block: ModbusPoll, spare: number): string {
  return `${block.unit}/${block.function}/${block.count + spare}`;
}

/** The bytes of each poll in a block's answer. */
export function partsOf(
  block: ModbusBlock,
  bytes: Uint8Array,
): { readonly address: string; readonly bytes: Uint8Array }[] {
  return block.polls.map(({ address, start, count }) => {
    const from = (start - block.start) * 2;
    return { address, bytes: bytes.slice(from, from + count * 2) };
  });
}
