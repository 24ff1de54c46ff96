import type { Plot } from '../storm/plot.ts';
import type { Bottleneck, Percentiles, StormReport } from '../storm/report.ts';
import type { StormStep } from '../storm/steps.ts';
import type { StormProgress } from '../storm/storm.ts';
import { table } from './table.ts';

const STEPS: { readonly [S in StormStep]: string } = {
  'firmware-dhcp': 'DHCP of the firmware',
  loader: 'loader by TFTP',
  'loader-dhcp': 'DHCP of iPXE',
  script: 'script by HTTP',
  kernel: 'kernel by HTTP',
  initrd: 'initrd by HTTP',
  'system-dhcp': 'DHCP of the system',
  inventory: 'inventory',
  bundle: 'bundle',
  ready: 'reports to ready',
};

/** The report of a storm for a terminal. */
export function stormText(report: StormReport): string {
  const { nodes, ready, seconds, total, steps, failed, load } = report;
  const rows = [
    ...steps.map((one) => [STEPS[one.step], ...cells(one)]),
    ...(total ? [['in all', ...cells(total)]] : []),
  ];
  return [
    `${ready} of ${nodes} nodes ready in ${seconds.toFixed(1)} s; ${(load.bytes / 1e6).toFixed(0)} MB of boot files`,
    '',
    table([['STEP', 'P50 MS', 'P90 MS', 'P99 MS', 'MAX MS'], ...rows]),
    ...(ready > 0 ? ['', ...curveLines(report)] : []),
    ...(failed.length > 0
      ? [
          '',
          ...failed.map(({ step, code, count, example }) => `${count} failed at: ${STEPS[step]}: ${code} (${example})`),
        ]
      : []),
    '',
    bottleneckText(report.bottleneck),
    `DHCP requests sent again: ${load.resent}; waits that the server asked for: ${load.waits}`,
  ].join('\n');
}

/** One line while it runs. */
export function progressText({ ms, begun, ready, failed }: StormProgress, nodes: number): string {
  const booting = begun - ready - failed;
  return `${(ms / 1000).toFixed(0)} s: ${ready} of ${nodes} ready, ${booting} booting${failed > 0 ? `, ${failed} failed` : ''}`;
}

/** The curve of nodes that are ready, to be drawn. */
export function stormPlot({ curve, nodes }: StormReport): Plot {
  return {
    title: `${nodes} simulated nodes`,
    x: { label: 'time since the first DISCOVER (s)' },
    y: { label: 'nodes ready' },
    series: [{ name: 'ready', points: curve }],
  };
}

const BAR = 40;
const BARS = 10;

/** Ten lines: so many were ready after each tenth of the time. */
function curveLines({ curve, seconds, nodes }: StormReport): string[] {
  return Array.from({ length: BARS }, (_, i) => {
    const at = ((i + 1) * seconds) / BARS;
    const ready = curve.findLast(([time]) => time <= at + 1e-9)?.[1] ?? 0;
    return `${at.toFixed(1).padStart(8)} s  ${'#'.repeat(Math.round((ready / nodes) * BAR)).padEnd(BAR)}  ${ready}`;
  });
}

function cells({ p50, p90, p99, max }: Percentiles): string[] {
  return [p50, p90, p99, max].map((ms) => ms.toFixed(ms < 10 ? 1 : 0));
}

function bottleneckText(bottleneck: Bottleneck | null): string {
  switch (bottleneck?.code) {
    case undefined:
      return 'Bottleneck: nothing ran.';
    case 'clients':
      return `Bottleneck: the simulated nodes themselves; this program used ${percent(bottleneck.share)} of a processor. The server may be quicker.`;
    case 'machine':
      return `Bottleneck: the processors of this machine, which were ${percent(bottleneck.share)} busy.`;
    case 'waits':
      return `Bottleneck: the server asked nodes to wait, ${bottleneck.count} times.`;
    case 'step':
      return `Bottleneck: ${STEPS[bottleneck.step]}; ${percent(bottleneck.share)} of the nodes' time went there.`;
  }
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
