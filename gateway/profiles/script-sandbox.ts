/**
 * Runs vendors' payload codecs (LoRa Alliance TS013, and the two older forms that most files still
 * carry) in QuickJS: no file, no network, no clock of this process, a limit on time and on memory.
 * A script that runs into a limit loses its whole engine, so that nothing it did is left behind.
 */
import {
  newQuickJSWASMModuleFromVariant,
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSRuntime,
  type QuickJSWASMModule,
} from 'quickjs-emscripten-core';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { RunScript } from './measure.ts';

const time_limit_ms = 20;
/**
 * The engine looks at the clock every 10,000 steps. A script that has done fewer is not stopped:
 * it is the machine that stood still, and a count must not be lost for it. Inside a single built-in
 * (sorting a huge list) the engine does not look, so such a loop ends later than its limit.
 */
const looks_min = 2;
const memory_limit_bytes = 16 * 1024 * 1024;
const stack_limit_bytes = 256 * 1024;

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

/** Loads the engine's WebAssembly once; each script then has an engine of its own. */
export async function openSandbox(clock: Pick<Clock, 'monotonic'>): Promise<RunScript> {
  const module = await newQuickJSWASMModuleFromVariant(
    import('@jitl/quickjs-wasmfile-release-sync'),
  );
  const engines = new Map<string, Engine>();
  const stopAfter: StopAfter = () => {
    const deadline = clock.monotonic() + time_limit_ms;
    let looks = 0;
    return () => {
      looks += 1;
      return looks > looks_min && clock.monotonic() > deadline;
    };
  };
  const run: RunScript = (source, bytes, port) => {
    const engine = engines.get(source) ?? startEngine(module, source, stopAfter);
    engines.set(source, engine);
    engine.runtime.setInterruptHandler(stopAfter());
    try {
      return call(engine, bytes, port);
    } catch (error) {
      engines.delete(source);
      discard(engine);
      throw error;
    }
  };
  // The first call compiles the engine itself, which is no frame's fault.
  const first = 'function decodeUplink(input) { return { data: input.bytes }; }';
  run(first, Uint8Array.of(1), 1);
  engines.delete(first);
  return run;
}

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

function call({ context, decode }: Engine, bytes: Uint8Array, port: number): unknown {
  const list = context.newString(JSON.stringify([...bytes]));
  const number = context.newNumber(port);
  try {
    const answer = unwrap(context, context.callFunction(decode, context.undefined, list, number));
    const text: unknown = context.dump(answer);
    answer.dispose();
    if (typeof text !== 'string') throw new Error('the script answers with nothing');
    return JSON.parse(text);
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
