import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { framingSchema } from '../../gateway/sources/framing.ts';
import { type SerialPoll, SerialSource, type SerialWork } from '../../gateway/sources/serial.ts';
import type { Accept } from '../../gateway/sources/source.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { describeWith, socat } from '../support/debian-part.ts';
import { collectFrames, eventually, type FrameLog } from '../support/frames.ts';
import { ptyLine, type SerialLine, socatLine } from '../support/serial-lines.ts';
import { Workspace } from '../support/workspace.ts';

const settings = { baud: 115_200, data_bits: 8, parity: 'none', stop_bits: 1 } as const;
const framing = framingSchema.parse({
  kind: 'delimited',
  start: '02',
  end: '03',
  encoding: 'ascii-hex',
  checksum: { kind: 'sum8' },
});

/** One HPC168 message: `body` in hex, framed and summed. */
function message(body: string): Buffer {
  const sum = Buffer.from(body, 'hex').reduce((total, byte) => total + byte, 0) & 0xff;
  return Buffer.from(`\x02${body}${sum.toString(16).padStart(2, '0')}\x03`.toUpperCase(), 'latin1');
}

function poll(id: string, change: Partial<SerialPoll> = {}): SerialPoll {
  const request = new Uint8Array(message(`${id}1300`));
  return { address: `unit/${id}`, request, every_ms: 30, timeout_ms: 150, ...change };
}

function work(...polls: SerialPoll[]): SerialWork {
  return { settings, framing, polls, turnaround_ms: 5 };
}

const workspace = new Workspace();

function serialSuite(openLine: (folder: string) => SerialLine): void {
  let line: SerialLine;
  let log: FrameLog;
  let source: SerialSource | undefined;
  /** What was asked, in order. */
  let asked: string[];
  /** How each unit answers; a unit without an entry says nothing. */
  let answers: Record<string, (id: string) => void | Promise<void>>;
  /** Answers under way: one that comes late must not reach the line of the next test. */
  let answering: (void | Promise<void>)[];

  const answer = (id: string) => line.write(message(`${id}9310`));
  const answerAfter = (delay_ms: number) => async (id: string) => {
    await systemClock.sleep(delay_ms);
    answer(id);
  };

  beforeEach(async () => {
    log = collectFrames();
    asked = [];
    answering = [];
    answers = { '0001': answer, '0002': answer };
    line = openLine(workspace.folder());
    await line.plug();
    let text = '';
    line.onData((bytes) => {
      text += bytes.toString('latin1');
      for (let end = text.indexOf('\x03'); end !== -1; end = text.indexOf('\x03')) {
        const id = text.slice(1, 5);
        text = text.slice(end + 1);
        asked.push(id);
        answering.push(answers[id]?.(id));
      }
    });
  });

  afterEach(async () => {
    await source?.stop();
    source = undefined;
    await Promise.all(answering);
    await line.unplug();
  });

  async function start(given: SerialWork, accept: Accept = log.accept): Promise<SerialSource> {
    source = new SerialSource({
      name: 'line',
      path: line.path,
      accept,
      clock: systemClock,
      log: silentLog,
    });
    source.setWork(given);
    await source.start();
    return source;
  }

  async function startListening(): Promise<SerialSource> {
    const listening = await start(work());
    await eventually('open', () => listening.status().state === 'running');
    return listening;
  }

  test('a unit is asked and its answer is a frame, decoded', async () => {
    const running = await start(work(poll('0001')));
    await eventually('three frames', () => log.frames.length >= 3);
    expect(new Set(log.told())).toEqual(new Set(['unit/0001 00019310']));
    expect(running.status()).toMatchObject({ kind: 'serial', state: 'running', error: null });
  });

  test('units take turns, and each answer has the address of the unit that was asked', async () => {
    await start(work(poll('0001'), poll('0002')));
    await eventually('frames of both', () => new Set(log.told()).size === 2 && asked.length >= 6);
    expect(new Set(log.told())).toEqual(new Set(['unit/0001 00019310', 'unit/0002 00029310']));
  });

  test('an answer in pieces, with line noise before it, is one frame', async () => {
    answers['0001'] = async (id) => {
      line.write(Buffer.of(0xff, 0));
      for (const byte of message(`${id}9310`)) {
        line.write(Buffer.of(byte));
        await systemClock.sleep(1);
      }
    };
    await start(work(poll('0001', { every_ms: 5000, timeout_ms: 1000 })));
    await eventually('a frame', () => log.frames.length > 0);
    expect(log.told()).toEqual(['unit/0001 00019310']);
  });

  test('a silent unit does not stop the others', async () => {
    const running = await start(work(poll('0009'), poll('0001')));
    await eventually('ten frames', () => log.frames.length >= 10);
    expect(new Set(log.told())).toEqual(new Set(['unit/0001 00019310']));
    expect(running.status().units[0]).toMatchObject({
      state: 'silent',
      error: 'no answer within 150 ms',
    });
    expect(running.status().state).toBe('running');
  });

  test('a wrong checksum is a fault of the unit that was asked, and it is asked again', async () => {
    let isDamaged = true;
    answers['0001'] = (id) => {
      const bytes = message(`${id}9310`);
      if (isDamaged) bytes[4] = 0x37;
      isDamaged = false;
      line.write(bytes);
    };
    const running = await start(work(poll('0001')));
    await eventually('both', () => log.frames.length >= 2);
    expect(log.told().slice(0, 2)).toEqual(['unit/0001 checksum', 'unit/0001 00019310']);
    expect(running.status().units[0]?.state).toBe('answering');
  });

  test('an answer that breaks off is a fault', async () => {
    answers['0001'] = (id) => line.write(message(`${id}9310`).subarray(0, 6));
    await start(work(poll('0001', { every_ms: 5000 })));
    await eventually('a fault', () => log.frames.length > 0);
    expect(log.told()).toEqual(['unit/0001 truncated']);
  });

  test('a late answer is never taken for the answer of the unit asked next', async () => {
    answers['0001'] = answerAfter(200);
    answers['0002'] = answerAfter(100);
    await start(work(poll('0001'), poll('0002')));
    await eventually('six polls', () => asked.length >= 6, 10_000);
    await systemClock.sleep(250);
    expect(new Set(log.told())).toEqual(new Set(['unit/0002 00029310']));
  });

  test('where answers name their unit, one of another unit is a fault, never an answer', async () => {
    const named = (id: string) => poll(id, { answer_prefix: Buffer.from(`${id}93`, 'hex') });
    answers['0001'] = answerAfter(200);
    answers['0002'] = answerAfter(100);
    await start(work(named('0001'), named('0002')));
    await eventually('six polls', () => asked.length >= 6, 10_000);
    await systemClock.sleep(250);
    for (const told of log.told()) {
      expect(told).toMatch(/^unit\/(0001 00019310|0002 00029310|000[12] unknown_unit)$/);
    }
    expect(log.told()).toContain('unit/0002 00029310');
    expect(log.told()).toContain('unit/0002 unknown_unit');
  });

  test('the echo of an adapter is not the answer, where answers name their unit', async () => {
    answers['0001'] = (id) => {
      line.write(message(`${id}1300`));
      answer(id);
    };
    await start(work(poll('0001', { answer_prefix: Buffer.from('000193', 'hex') })));
    await eventually('three frames', () => log.frames.length >= 3);
    expect(new Set(log.told())).toEqual(new Set(['unit/0001 00019310']));
  });

  test('a unit is not asked again before its frame is on disk', async () => {
    const release: (() => void)[] = [];
    await start(work(poll('0001')), () => new Promise((resolve) => release.push(resolve)));
    await eventually('the first frame', () => release.length === 1);
    await systemClock.sleep(200);
    expect(asked).toEqual(['0001']);
    release[0]?.();
    await eventually('the second frame', () => release.length === 2);
  });

  test('a unit paired while running is asked at once, and the port stays open', async () => {
    const running = await start(work(poll('0001', { every_ms: 60_000 })));
    await eventually('a frame', () => log.frames.length === 1);
    running.setWork(work(poll('0001', { every_ms: 60_000 }), poll('0002', { every_ms: 60_000 })));
    await eventually('the new unit', () => log.frames.length === 2);
    expect(asked).toEqual(['0001', '0002']);
  });

  test('with other settings the port is opened again', async () => {
    const running = await start(work(poll('0001')));
    await eventually('a frame', () => log.frames.length > 0);
    running.setWork({ ...work(poll('0002')), settings: { ...settings, baud: 9600 } });
    await eventually('the new unit', () => log.told().includes('unit/0002 00029310'));
    expect(running.status().state).toBe('running');
  });

  test('a line that nobody asks is listened to', async () => {
    await startListening();
    line.write(Buffer.concat([Buffer.of(0xff), message('00019310'), message('00019311')]));
    await eventually('two frames', () => log.frames.length === 2);
    expect(log.told()).toEqual(['line 00019310', 'line 00019311']);
  });

  test('listening, a frame that breaks off is a fault once the line is quiet', async () => {
    await startListening();
    line.write(message('00019310').subarray(0, 6));
    await eventually('a fault', () => log.frames.length === 1);
    expect(log.told()).toEqual(['line truncated']);
  });

  test('listening, a flood waits while the disk does, and arrives in order after that', async () => {
    const held: (() => void)[] = [];
    let isHeld = true;
    const accept: Accept = async (frame) => {
      await log.accept(frame);
      if (isHeld) await new Promise<void>((resolve) => held.push(resolve));
    };
    const running = await start(work(), accept);
    await eventually('open', () => running.status().state === 'running');
    const numbers = Array.from({ length: 300 }, (_, i) => i.toString(16).padStart(4, '0'));
    for (const number of numbers) {
      line.write(message(number));
      await systemClock.sleep(0);
    }
    await systemClock.sleep(100);
    expect(log.frames.length).toBeLessThan(300);
    isHeld = false;
    for (const release of held) release();
    await eventually('all frames', () => log.frames.length === 300);
    expect(log.told()).toEqual(numbers.map((number) => `line ${number}`));
  });

  test('unplugged and plugged in again, it reads on within 5 s', async () => {
    const running = await start(work(poll('0001')));
    await eventually('a frame', () => log.frames.length > 0);
    await line.unplug();
    await eventually('failing', () => running.status().state === 'failing');
    expect(running.status().error).not.toBeNull();
    await systemClock.sleep(1500);
    const before = log.frames.length;
    await line.plug();
    await eventually('a frame after the plug', () => log.frames.length > before, 5_000);
    expect(running.status()).toMatchObject({ state: 'running', error: null });
  });

  test('listening, unplugged and plugged in again, it reads on within 5 s', async () => {
    const running = await startListening();
    await line.unplug();
    await eventually('failing', () => running.status().state === 'failing');
    await line.plug();
    await eventually('open', () => running.status().state === 'running', 5_000);
    line.write(message('00019310'));
    await eventually('a frame', () => log.frames.length === 1);
  });

  test('a port that is not there yet is a state, and is opened when it comes', async () => {
    await line.unplug();
    const running = await start(work(poll('0001')));
    await eventually('failing', () => running.status().state === 'failing');
    expect(running.status().error).toContain('No such file');
    await line.plug();
    await eventually('a frame', () => log.frames.length > 0);
  });

  test('stop ends it in the middle of a request', async () => {
    const running = await start(work(poll('0009', { timeout_ms: 10_000 })));
    await eventually('asked', () => asked.length > 0);
    const from = systemClock.monotonic();
    await running.stop();
    expect(systemClock.monotonic() - from).toBeLessThan(5_000);
    expect(running.status().state).toBe('stopped');
  });
}

describe('a serial line (pseudo terminal)', () => serialSuite(ptyLine));
describeWith(socat, 'a serial line', () => serialSuite(socatLine));
