/** What the demo shows while it runs. On a terminal it repaints; elsewhere it prints now and then. */
import type { Truth } from './door.ts';
import type { HqHour } from './headquarters.ts';
import type { GatewayStatus } from './store.ts';
import type { StorePlan } from './stores.ts';

export interface StoreView {
  readonly plan: StorePlan;
  readonly truths: readonly Truth[];
  readonly status: GatewayStatus | null;
  readonly hours: readonly HqHour[];
}

/** Seconds between two prints where nothing can be repainted. */
const plain_interval_s = 10;

export class LiveTable {
  readonly #isTerminal = process.stderr.isTTY === true;
  #painted = 0;

  /** The table goes to stderr: stdout holds the result. */
  show(elapsed_s: number, events: readonly string[], stores: readonly StoreView[]): void {
    if (!this.#isTerminal && elapsed_s % plain_interval_s !== 0) return;
    const lines = [
      `${elapsed_s} s   ${events.at(-1) ?? 'people walk'}`,
      row('STORE', 'DOOR', 'WALKED', 'AT HQ', 'BUFFERED', 'DELIVERED', 'DUPLICATES'),
      ...stores.flatMap(storeLines),
      '',
    ];
    const repaint = this.#isTerminal && this.#painted > 0 ? `\x1b[${this.#painted}A\x1b[J` : '';
    process.stderr.write(`${repaint}${lines.join('\n')}\n`);
    this.#painted = lines.length;
  }
}

function storeLines({ plan, truths, status, hours }: StoreView): string[] {
  return truths.map((truth, i) => {
    const own = hours.filter((hour) => hour.sensor_id === truth.sensor_id);
    const sum = (key: 'total_in' | 'total_out') => own.reduce((all, hour) => all + hour[key], 0);
    const gateway =
      status === null
        ? ['gateway down', '', '']
        : [
            status.buffer.buffered,
            status.buffer.settled_sequence,
            status.ignored['duplicate'] ?? 0,
          ];
    return row(
      i === 0 ? `${plan.organization}/${plan.code}` : '',
      truth.sensor_id,
      `${truth.in} in ${truth.out} out`,
      `${sum('total_in')} in ${sum('total_out')} out`,
      ...(i === 0 ? gateway.map(String) : []),
    );
  });
}

function row(...cells: string[]): string {
  const widths = [16, 14, 17, 17, 13, 10, 10];
  return cells
    .map((cell, i) => cell.padEnd(widths[i] ?? 0))
    .join(' ')
    .trimEnd();
}
