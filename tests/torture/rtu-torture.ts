/** A bad RS-485 line: `--runs` answers of it, modbus-serial on the same, and what a dead unit costs. */

import { tortureRtu } from './rtu.ts';
import { deadUnitShare } from './rtu-dead-unit.ts';
import { tortureModbusSerial } from './rtu-modbus-serial.ts';
import type { Tortured } from './tortured.ts';

const beside_answers_max = 2_000;
const share_max = 0.02;

export async function rtuTorture(
  runs: number,
  seed: number,
  tell: (text: string) => void,
): Promise<Tortured> {
  tell(`${runs} answers of a line on which most go wrong`);
  const line = await tortureRtu(runs, seed);
  const beside = await tortureModbusSerial(Math.min(runs, beside_answers_max), seed);
  const dead_unit = await deadUnitShare(seed);
  const fates = Object.entries(line.by_fate).map(([fate, count]) => `${fate} ${count}`);
  const share = (dead_unit.share * 100).toFixed(2);
  const { hours, beat_ms, slowest_beat_ms } = dead_unit;
  return {
    isHeld: line.wrong === 0 && dead_unit.share <= share_max,
    document: { ...line, modbus_serial: beside, dead_unit },
    lines: [
      fates.join(', '),
      `footbridge     ${line.values} values, ${line.wrong} of another register (limit 0)`,
      ...(line.first_wrong === null ? [] : [`  the first: ${line.first_wrong}`]),
      `modbus-serial  ${beside.values} values of ${beside.answers} answers, ${beside.wrong} of another register`,
      `one dead unit of 32 took ${share} % of ${hours} h of bus time after its first timeout (limit 2 %);`,
      `  the others, asked every ${beat_ms} ms, were asked at the latest after ${slowest_beat_ms} ms`,
    ],
  };
}
