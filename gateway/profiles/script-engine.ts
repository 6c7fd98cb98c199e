/**
 * Runs vendors' payload codecs (LoRa Alliance TS013, and the two older forms that most files still
 * carry) in QuickJS: no file, no network, no clock of this process, a limit on time and on memory.
 * A script that runs into a limit loses its whole engine, so that nothing it did is left behind.
 * Lives in script-thread.ts, since the engine looks at its time limit between steps only.
 */
import {
  newQuickJSWASMModuleFromVariant,
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSRuntime,
  type QuickJSWASMModule,
} from 'quickjs-emscripten-core';
import type { Clock } from '../../shared/runtime/clock.ts';
import { script_ms_max } from './script-protocol.ts';

/**
 * The engine looks at the clock every 10,000 steps. A script that has done fewer is not stopped:
 * it is the machine that stood still, and a count must not be lost for it.
 */
const looks_min = 2;
const memory_limit_bytes = 16 * 1024 * 1024;
const stack_limit_bytes = 256 * 1024;
/** As long as the longest message; longer values would hold up whoever reads them. */
const answer_length_max = 256 * 1024;

/** Called with bytes as JSON and a port; answers with JSON, so that one string crosses each way. */
const entry = `(function (bytes, port) {
  var input = JSON.parse(bytes);
  if (typeof decodeUplink === 'function') {
    var answer = decodeUplink({ bytes: input, fPort: port, recvTime: new Date(0), variables: {} });
    if (answer && answer.errors && answer.errors.length > 0) throw new Error(answer.errors.join('; '));
    return JSON.stringify(answer && answer.data);
  }
  if (typeof Decode === 'function') return JSON.stringify(Decode(port, input, {}));
  if (typeof Decoder === 'function') return JSON.stringify(Decoder(input, port));
  throw new Error('the script has no decodeUplink');
})`;

interface Engine {
  readonly runtime: QuickJSRuntime;
  readonly context: QuickJSContext;
  readonly decode: QuickJSHandle;
}

type StopAfter = () => () => boolean;

export interface Engines {
  /** Starts the engine of a script, unless it runs. @throws an Error where the text is no script. */
  load(source: string): void;
  /** The JSON that a script makes of a frame. @throws an Error that says what went wrong. */
  call(source: string, bytes: Uint8Array, port: number): string;
}

/** Loads the engine's WebAssembly once; each script then has an engine of its own. */
export async function openEngines(clock: Pick<Clock, 'monotonic'>): Promise<Engines> {
  const module = await newQuickJSWASMModuleFromVariant(
    import('@jitl/quickjs-wasmfile-release-sync'),
  );
  const engines = new Map<string, Engine>();
  const stopAfter: StopAfter = () => {
    const deadline = clock.monotonic() + script_ms_max;
    let looks = 0;
    return () => {
      looks += 1;
      return looks > looks_min && clock.monotonic() > deadline;
    };
  };
  const load = (source: string): Engine => {
    const engine = engines.get(source) ?? startEngine(module, source, stopAfter);
    engines.set(source, engine);
    return engine;
  };
  const callScript = (source: string, bytes: Uint8Array, port: number): string => {
    const engine = load(source);
    engine.runtime.setInterruptHandler(stopAfter());
    try {
      return call(engine, bytes, port);
    } catch (error) {
      engines.delete(source);
      discard(engine);
      throw error;
    }
  };
  // The first use of each part compiles the engine itself, which is no frame's fault.
  for (let i = 0; i < 3; i += 1) callScript(warm_up, Uint8Array.of(1, 2, 3, 255), 1);
  engines.delete(warm_up);
  return { load, call: callScript };
}

/** What vendors' codecs do, in short. */
const warm_up = `
  var table = { a: [1, 2], b: { c: 'x' } };
  function read(bytes, at) { return bytes[at] | (bytes[at + 1] << 8) | ((bytes[at] & 0x80) >>> 7); }
  class Reader { constructor(bytes) { this.bytes = bytes; } get size() { return this.bytes.length; } }
  function decodeUplink(input) {
    var data = {}, bytes = input.bytes.slice(0), i, hex = '';
    for (i = 0; i < bytes.length; i++) {
      hex += ('0' + (bytes[i] & 0xff).toString(16)).slice(-2).toUpperCase();
      switch (bytes[i]) { case 1: data.a = read(bytes, i); break; default: data['k' + i] = i / 3; }
    }
    const { a, ...rest } = data;
    let parts = bytes.map((x) => x * 2).filter((x) => x > 2).concat([4, 3]).sort((x, y) => x - y);
    parts.push(...parts.splice(0, 1), parseInt(hex.substring(0, 2), 16), parseFloat('1.5e3'));
    try { null.x; } catch (error) { data.error = error.message; }
    data.text = String.fromCharCode.apply(null, bytes).replace(/[^a-z]/g, '.').split('.').join('-');
    data.view = new DataView(new Uint8Array(bytes).buffer).getUint16(0, true);
    data.date = new Date(1e12).toISOString() + Math.round(1.5).toFixed(2).padStart(8, '0');
    data.sum = parts.reduce((x, y) => x + y, 0) + Math.pow(2, 31) + new Reader(bytes).size;
    data.keys = Object.keys(rest).indexOf('k1') + JSON.stringify(Object.assign({}, table)).length;
    return { data: data, warnings: [], errors: [] };
  }`;

function startEngine(module: QuickJSWASMModule, source: string, stopAfter: StopAfter): Engine {
  const runtime = module.newRuntime();
  runtime.setMemoryLimit(memory_limit_bytes);
  runtime.setMaxStackSize(stack_limit_bytes);
  runtime.setInterruptHandler(stopAfter());
  const context = runtime.newContext();
  try {
    unwrap(context, context.evalCode(source, 'codec.js')).dispose();
    return { runtime, context, decode: unwrap(context, context.evalCode(entry, 'entry.js')) };
  } catch (error) {
    context.dispose();
    runtime.dispose();
    throw error;
  }
}

function call({ context, decode }: Engine, bytes: Uint8Array, port: number): string {
  const list = context.newString(JSON.stringify([...bytes]));
  const number = context.newNumber(port);
  try {
    const answer = unwrap(context, context.callFunction(decode, context.undefined, list, number));
    const text: unknown = context.dump(answer);
    answer.dispose();
    if (typeof text !== 'string') throw new Error('the script answers with nothing');
    if (text.length > answer_length_max) throw new Error('the script answers with too much');
    return text;
  } finally {
    list.dispose();
    number.dispose();
  }
}

type Result = ReturnType<QuickJSContext['evalCode']>;

/** @throws an Error with the script's own message. */
function unwrap(context: QuickJSContext, result: Result): QuickJSHandle {
  if (result.error === undefined) return result.value;
  const thrown: unknown = context.dump(result.error);
  result.error.dispose();
  const message =
    typeof thrown === 'object' && thrown !== null && 'message' in thrown ? thrown.message : thrown;
  throw new Error(`the script failed: ${String(message).slice(0, 200)}`);
}

/** A script stopped in the middle may hold objects that cannot be freed one by one. */
function discard({ context, runtime, decode }: Engine): void {
  try {
    decode.dispose();
    context.dispose();
    runtime.dispose();
  } catch {
    // The engine's own check for leaks; its memory is bounded and it is not used again.
  }
}
