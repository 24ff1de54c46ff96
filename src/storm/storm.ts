import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { FaultSink } from '../faults.ts';
import type { Mac } from '../model/mac.ts';
import { OwnAddresses } from '../net/ownAddress.ts';
import { bootNode, type StormMeans } from './bootNode.ts';
import { StormDhcp } from './dhcp.ts';
import { type NodeRun, type StormReport, stormReport } from './report.ts';
import { StormFailure, type StormStep } from './steps.ts';

export type StormNode = { readonly name: string; readonly mac: Mac };

export type StormOptions = {
  readonly interface: string;
  /** The nodes begin evenly over so many milliseconds. */
  readonly rampMs: number;
  /** At most so many boot at once; the others wait for their turn. */
  readonly atOnce: number;
  /** A node that is not ready after so many milliseconds has failed. */
  readonly limitMs: number;
  /** Option 93 of the firmware. */
  readonly arch: number;
  readonly faulted: FaultSink;
  /** Called four times a second, and at the end. */
  readonly onProgress?: (progress: StormProgress) => void;
  /** Ends the storm early; what has been seen until then is reported. */
  readonly signal?: AbortSignal;
};

export type StormProgress = {
  readonly ms: number;
  readonly begun: number;
  readonly ready: number;
  readonly failed: number;
};

const PROGRESS_MS = 250;

/**
 * Boots simulated nodes against a server that runs, and reports. Their addresses are on the interface until the end. Throws PORT_IN_USE (a DHCP client holds port 68),
 * PRIVILEGE_MISSING, INTERFACE_MISSING.
 */
export async function storm(nodes: readonly StormNode[], options: StormOptions): Promise<StormReport> {
  const { interface: name, rampMs, atOnce, arch, faulted, onProgress } = options;
  const dhcp = new StormDhcp(name, faulted);
  let addresses: OwnAddresses;
  try {
    addresses = new OwnAddresses(name);
  } catch (error) {
    dhcp.close();
    throw error;
  }
  let [bytes, waits, begun, ready, failed, next] = [0, 0, 0, 0, 0, 0];
  const means: StormMeans = {
    dhcp,
    addresses,
    arch,
    onBytes: (more) => {
      bytes += more;
    },
    onWait: () => waits++,
  };
  const began = performance.now();
  const [cpu, machine] = [process.cpuUsage(), machineTime()];
  const clock = () => performance.now() - began;
  const progress = () => onProgress?.({ ms: clock(), begun, ready, failed });
  const ticker = setInterval(progress, PROGRESS_MS);
  const runs: NodeRun[] = [];
  const takeTurns = async (): Promise<void> => {
    for (let turn = next++; turn < nodes.length && !options.signal?.aborted; turn = next++) {
      const wait = (turn * rampMs) / nodes.length - clock();
      if (wait > 0) await delay(wait, undefined, options.signal ? { signal: options.signal } : {}).catch(() => {});
      const node = nodes[turn];
      if (node === undefined || options.signal?.aborted) return;
      begun++;
      const run = await runNode(node, means, clock, options);
      if (run.failure === undefined) ready++;
      else failed++;
      runs.push(run);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(atOnce, nodes.length) }, takeTurns));
  } finally {
    clearInterval(ticker);
    addresses.close();
    dhcp.close();
  }
  progress();
  const { user, system } = process.cpuUsage(cpu);
  const after = machineTime();
  return stormReport(runs, {
    bytes,
    waits,
    resent: dhcp.resent,
    ownCpuSeconds: (user + system) / 1e6,
    machineCpuSeconds: after.busy - machine.busy,
    idleCpuSeconds: after.idle - machine.idle,
  });
}

async function runNode(
  { name, mac }: StormNode,
  means: StormMeans,
  clock: () => number,
  { limitMs, signal, faulted }: StormOptions,
): Promise<NodeRun> {
  const began = clock();
  const steps = new Map<StormStep, number>();
  let current: StormStep = 'firmware-dhcp';
  // A timer of its own, that ends with the node: those of AbortSignal.timeout would stay.
  const limit = new AbortController();
  const end = (why: string) => limit.abort(new StormFailure('no-answer', why));
  const timer = setTimeout(end, limitMs, `not ready after ${limitMs / 1000} s`);
  const stopped = () => end('the storm was ended');
  signal?.addEventListener('abort', stopped, { once: true });
  try {
    await bootNode(
      mac,
      means,
      async (step, work) => {
        current = step;
        const start = clock();
        const result = await work();
        steps.set(step, clock() - start);
        return result;
      },
      limit.signal,
    );
    return { name, began, ended: clock(), steps };
  } catch (error) {
    if (!(error instanceof StormFailure)) faulted(error);
    const code = error instanceof StormFailure ? error.code : 'fault';
    const message = error instanceof Error ? error.message : String(error);
    return { name, began, ended: clock(), steps, failure: { step: current, code, message } };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stopped);
  }
}

const TICKS = 100;

/** Seconds that all processors of this machine have worked and idled since it started. */
function machineTime(): { readonly busy: number; readonly idle: number } {
  const [first = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0] = first
    .replace(/^cpu +/, '')
    .split(' ')
    .map(Number);
  return { busy: (user + nice + system + irq + softirq) / TICKS, idle: (idle + iowait) / TICKS };
}
