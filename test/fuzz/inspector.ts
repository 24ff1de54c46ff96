import { setTimeout as sleep } from 'node:timers/promises';

/** Where the server's inspector listens: on the wire that only this test's machines share. */
const WHERE = '10.0.0.2:9229';
export const INSPECTED = { NODE_OPTIONS: `--inspect=${WHERE}`, NODE_DISABLE_COMPILE_CACHE: '1' } as const;

const PATIENCE_MS = 10_000;
/** What Node prints at its end while an inspector looks on, which it waits for. */
export const ENDING = 'Waiting for the debugger to disconnect...';

const STALLS = `globalThis.fuzzStalls ??= (() => {
  const histogram = process.getBuiltinModule('node:perf_hooks').monitorEventLoopDelay({ resolution: 10 });
  histogram.enable();
  return histogram;
})(); undefined`;
const STALL = 'Math.max(0, fuzzStalls.max / 1e6 - 10)';
const RESET = 'fuzzStalls.reset()';
/** JavaScript's heap and what belongs to it outside. */
const MEMORY = '(({ heapUsed, external }) => (heapUsed + external) / 2 ** 20)(process.memoryUsage())';

type Reply = { readonly id?: number; readonly result?: unknown; readonly error?: { readonly message: string } };
type Coverage = {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly {
      readonly functionName: string;
      readonly ranges: readonly { readonly startOffset: number; readonly count: number }[];
    }[];
  }[];
};

/** Looks into the running server by the protocol of Node's inspector: memory, stalls, and which code ran for the first time. */
export class Inspector {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  #id = 0;
  /** Whether the server that it looked into has ended. */
  isGone = false;

  static async attach(): Promise<Inspector> {
    for (let tries = 0; ; tries++) {
      try {
        const [target] = (await (await fetch(`http://${WHERE}/json/list`)).json()) as {
          webSocketDebuggerUrl: string;
        }[];
        const socket = new WebSocket(target?.webSocketDebuggerUrl ?? '');
        await new Promise((resolve, reject) => {
          socket.onopen = resolve;
          socket.onerror = () => reject(new Error('the inspector refused'));
        });
        const inspector = new Inspector(socket);
        await inspector.#ask('Profiler.enable');
        await inspector.#ask('Profiler.startPreciseCoverage', { callCount: false, detailed: true });
        await inspector.#ask('HeapProfiler.enable');
        await inspector.#ask('Runtime.evaluate', { expression: STALLS });
        return inspector;
      } catch (error) {
        if (tries === 50) throw error;
        await sleep(100);
      }
    }
  }

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const { id = 0, result, error } = JSON.parse(String(data)) as Reply;
      const asked = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) asked?.reject(new Error(error.message));
      else asked?.resolve(result);
    };
    socket.onclose = () => {
      this.isGone = true;
      for (const { reject } of this.#waiting.values()) reject(new Error('the inspector is gone'));
      this.#waiting.clear();
    };
  }

  /** The longest stall since the last look, and the pieces of the server's own code that ran for the first time since then. */
  async look(): Promise<{ readonly stallMs: number; readonly newCode: readonly string[] }> {
    const stallMs = await this.#evaluate<number>(STALL);
    const newCode = await this.#newCode();
    await this.#evaluate(RESET);
    return { stallMs, newCode };
  }

  /** What is alive after a collection of garbage, MB; the server stands still for as long as that takes. */
  async liveMemory(): Promise<number> {
    await this.#ask('HeapProfiler.collectGarbage');
    const memory = await this.#evaluate<number>(MEMORY);
    await this.#evaluate(RESET);
    return memory;
  }

  /** `dhcp/policy.ts decide 1234` */
  async #newCode(): Promise<string[]> {
    const { result } = (await this.#ask('Profiler.takePreciseCoverage')) as Coverage;
    return result
      .filter(({ url }) => url.includes('/src/'))
      .flatMap(({ url, functions }) =>
        functions.flatMap(({ functionName, ranges }) =>
          ranges
            .filter(({ count }) => count > 0)
            .map(({ startOffset }) => `${url.slice(url.indexOf('/src/') + 5)} ${functionName} ${startOffset}`),
        ),
      );
  }

  close(): void {
    this.#socket.close();
  }

  async #evaluate<T>(expression: string): Promise<T> {
    const reply = await this.#ask('Runtime.evaluate', { expression, returnByValue: true });
    return (reply as { result: { value: T } }).result.value;
  }

  #ask(method: string, params: object = {}): Promise<unknown> {
    const id = ++this.#id;
    return new Promise((resolve, reject) => {
      if (this.isGone) reject(new Error('the inspector is gone'));
      // A server that stands still is a finding of others; here it must not stop the run.
      const patience = setTimeout(() => reject(new Error(`${method}: no answer`)), PATIENCE_MS);
      this.#waiting.set(id, {
        resolve: (result) => {
          clearTimeout(patience);
          resolve(result);
        },
        reject: (error) => {
          clearTimeout(patience);
          reject(error);
        },
      });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }
}
