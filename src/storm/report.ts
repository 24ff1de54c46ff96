import { STORM_STEPS, type StormFailureCode, type StormStep } from './steps.ts';

/** What became of one simulated node. Times are milliseconds since the storm began. */
export type NodeRun = {
  readonly name: string;
  readonly began: number;
  readonly ended: number;
  /** How long each step took that the node finished. */
  readonly steps: ReadonlyMap<StormStep, number>;
  readonly failure?: { readonly step: StormStep; readonly code: StormFailureCode; readonly message: string };
};

/** What was seen beside the nodes. Seconds of processor are those used while the storm ran. */
export type StormLoad = {
  readonly bytes: number;
  /** DHCP requests that were sent again. */
  readonly resent: number;
  /** How often a node waited because the server asked for it or took no connection. */
  readonly waits: number;
  readonly ownCpuSeconds: number;
  /** Of all processors of this machine together; `idleCpuSeconds` is what was left. */
  readonly machineCpuSeconds: number;
  readonly idleCpuSeconds: number;
};

export type Percentiles = { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number };

/**
 * What held the storm up. `clients`: this program's thread had no time left, so that the server may be quicker than this shows. `machine`: the processors of this machine
 * were all busy; where the server runs on it, they share them. `waits`: the server asked nodes to wait. `step`: none of these; most of the time went into this step.
 */
export type Bottleneck =
  | { readonly code: 'clients'; readonly share: number }
  | { readonly code: 'machine'; readonly share: number }
  | { readonly code: 'waits'; readonly count: number }
  | { readonly code: 'step'; readonly step: StormStep; readonly share: number };

export type StormReport = {
  readonly nodes: number;
  readonly ready: number;
  readonly failed: readonly {
    readonly step: StormStep;
    readonly code: StormFailureCode;
    readonly count: number;
    readonly example: string;
  }[];
  /** From the first DISCOVER to the end of the last node. */
  readonly seconds: number;
  /** From a node's first DISCOVER to `ready`, in milliseconds; `null` where none got there. */
  readonly total: Percentiles | null;
  readonly steps: readonly (Percentiles & { readonly step: StormStep; readonly count: number })[];
  /** Nodes ready by then: seconds since the beginning, count. */
  readonly curve: readonly (readonly [seconds: number, ready: number])[];
  readonly bottleneck: Bottleneck | null;
  readonly load: StormLoad;
};

const BUSY = 0.9;
/** The curve has at most so many points. */
const POINTS = 200;

/** Makes the report of a storm. Pure. */
export function stormReport(runs: readonly NodeRun[], load: StormLoad): StormReport {
  const ready = runs.filter(({ failure }) => failure === undefined);
  const ms = Math.max(0, ...runs.map(({ ended }) => ended));
  const steps = STORM_STEPS.flatMap((step) => {
    const times = runs.flatMap((run) => run.steps.get(step) ?? []);
    return times.length === 0 ? [] : [{ step, count: times.length, ...percentiles(times) }];
  });
  return {
    nodes: runs.length,
    ready: ready.length,
    failed: failuresOf(runs),
    seconds: ms / 1000,
    total: ready.length === 0 ? null : percentiles(ready.map(({ began, ended }) => ended - began)),
    steps,
    curve: curveOf(ready.map(({ ended }) => ended / 1000)),
    bottleneck: bottleneckOf(runs, load, ms / 1000),
    load,
  };
}

/** Nearest rank; the list must not be empty. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

/** What held up a storm of so many seconds; `null` where nothing ran. */
export function bottleneckOf(runs: readonly NodeRun[], load: StormLoad, seconds: number): Bottleneck | null {
  if (seconds <= 0) return null;
  const own = load.ownCpuSeconds / seconds;
  if (own >= BUSY) return { code: 'clients', share: Math.min(own, 1) };
  const all = load.machineCpuSeconds + load.idleCpuSeconds;
  const machine = all > 0 ? load.machineCpuSeconds / all : 0;
  if (machine >= BUSY) return { code: 'machine', share: machine };
  if (load.waits > runs.length / 10) return { code: 'waits', count: load.waits };
  const spent = new Map<StormStep, number>();
  for (const run of runs) for (const [step, ms] of run.steps) spent.set(step, (spent.get(step) ?? 0) + ms);
  const [most] = [...spent].toSorted(([, a], [, b]) => b - a);
  if (most === undefined) return null;
  const total = [...spent.values()].reduce((sum, one) => sum + one, 0);
  return { code: 'step', step: most[0], share: total > 0 ? most[1] / total : 1 };
}

function failuresOf(runs: readonly NodeRun[]): StormReport['failed'] {
  const found = new Map<string, StormReport['failed'][number]>();
  for (const { failure } of runs) {
    if (failure === undefined) continue;
    const { step, code, message } = failure;
    const before = found.get(`${step} ${code}`);
    found.set(
      `${step} ${code}`,
      before ? { ...before, count: before.count + 1 } : { step, code, count: 1, example: message },
    );
  }
  return [...found.values()].toSorted((a, b) => b.count - a.count);
}

/** The curve starts at nothing and has each rise, or where there are too many every n-th and the last. */
function curveOf(ends: readonly number[]): (readonly [number, number])[] {
  const sorted = ends.toSorted((a, b) => a - b);
  const every = Math.max(1, Math.ceil(sorted.length / POINTS));
  const points = sorted.map((seconds, i): readonly [number, number] => [seconds, i + 1]);
  return [[0, 0], ...points.filter(([, ready]) => ready % every === 0 || ready === sorted.length)];
}
