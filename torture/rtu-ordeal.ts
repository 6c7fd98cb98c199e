/** `npm run torture -- rtu`: --runs is the number of answers, 1,000,000 unless said otherwise. */
import { printLine } from '../shared/runtime/command-output.ts';
import type { Endured } from './main.ts';
import { tortureRtu } from './rtu.ts';
import { deadUnitShare } from './rtu-dead-unit.ts';
import { tortureModbusSerial } from './rtu-modbus-serial.ts';

const beside_answers_max = 2_000;
const share_max = 0.02;

export async function endure(runs = 1_000_000, seed: number): Promise<Endured> {
  printLine(`seed ${seed}: ${runs} answers of a line on which most go wrong`);
  const line = await tortureRtu(runs, seed);
  const beside = await tortureModbusSerial(Math.min(runs, beside_answers_max), seed);
  const dead_unit = await deadUnitShare(seed);
  const fates = Object.entries(line.by_fate).map(([fate, count]) => `${fate} ${count}`);
  const share = (dead_unit.share * 100).toFixed(2);
  return {
    held: line.wrong === 0 && dead_unit.share <= share_max,
    document: { ...line, modbus_serial: beside, dead_unit },
    lines: [
      fates.join(', '),
      `footbridge     ${line.values} values, ${line.wrong} of another register (limit 0)`,
      ...(line.first_wrong === null ? [] : [`  the first: ${line.first_wrong}`]),
      `modbus-serial  ${beside.values} values of ${beside.answers} answers, ${beside.wrong} of another register`,
      `one dead unit of 32 took ${share} % of ${dead_unit.hours} h of bus time after its first timeout (limit 2 %), the others' slowest beat ${dead_unit.slowest_beat_ms} ms of ${dead_unit.beat_ms} ms`,
    ],
  };
}
