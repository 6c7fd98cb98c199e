/** CPU time of processes, which a busy machine distorts less than time on the clock. */
import { readdirSync, readFileSync } from 'node:fs';

/** proc(5): fields count from 1 and the command, which may hold spaces, is the second. */
function statOf(pid: number): number[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
}
const [parent, user, system, dead_user, dead_system] = [1, 11, 12, 13, 14];
const tick_us = 10_000;

function sum(stat: readonly number[], fields: readonly number[]): number {
  return fields.reduce((total, field) => total + (stat[field] ?? 0), 0) * tick_us;
}

/** User and system time of one process so far, µs. */
export function cpuTime_us(pid: number): number {
  return sum(statOf(pid), [user, system]);
}

/** Of a process, its children that live and those that have ended, µs. */
export function familyTime_us(pid: number): number {
  let total = sum(statOf(pid), [user, system, dead_user, dead_system]);
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
    try {
      const stat = statOf(Number(name));
      if (stat[parent] === pid) total += sum(stat, [user, system]);
    } catch {
      // It has ended since it was listed, and is in its parent's account.
    }
  }
  return total;
}
