/**
 * The thread in which script codecs run. Whoever waits for an answer can end the whole thread, which
 * stops a script even inside one huge built-in call, where the engine itself does not look.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../shared/runtime/clock.ts';
import { openEngines } from './script-engine.ts';
import {
  cpuTime_ms,
  type ScriptAnswer,
  type ScriptRequest,
  type ScriptThreadData,
  type ScriptThreadReady,
} from './script-protocol.ts';

const { progress } = workerData as ScriptThreadData;
const port = parentPort;
if (port === null) throw new Error('script-thread.ts runs as a worker');

const task = taskOf();
const sources = new Map<number, string>();
const engines = await openEngines(systemClock);

port.on('message', (request: ScriptRequest) => {
  progress[0] = task === null ? Number.NaN : cpuTime_ms(task, readFileSync);
  const answer = answerTo(request);
  progress[1] = request.id;
  port.postMessage(answer);
});
port.postMessage({ task } satisfies ScriptThreadReady);

function answerTo(request: ScriptRequest): ScriptAnswer {
  const { id, script } = request;
  try {
    if ('bytes' in request) {
      const source = sources.get(script) ?? '';
      return { id, json: engines.call(source, request.bytes, request.port) };
    }
    sources.set(script, request.source);
    engines.load(request.source);
    return { id, loaded: true };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
}

/** Where the kernel tells the CPU time of this thread; null where it does not. */
function taskOf(): string | null {
  try {
    const stat = `/proc/${readlinkSync('/proc/thread-self')}/schedstat`;
    return Number.isFinite(cpuTime_ms(stat, readFileSync)) ? stat : null;
  } catch {
    return null;
  }
}
