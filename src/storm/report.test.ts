import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bottleneckOf, type NodeRun, percentiles, type StormLoad, stormReport } from './report.ts';
import type { StormStep } from './steps.ts';

const QUIET: StormLoad = {
  bytes: 1000,
  resent: 0,
  waits: 0,
  ownCpuSeconds: 1,
  machineCpuSeconds: 5,
  idleCpuSeconds: 15,
};

function run(i: number, began: number, ended: number, steps: Partial<Record<StormStep, number>> = {}): NodeRun {
  return { name: `n${i}`, began, ended, steps: new Map(Object.entries(steps) as [StormStep, number][]) };
}

describe('the report of a storm', () => {
  it('has percentiles by nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    assert.deepEqual(percentiles(hundred), { p50: 50, p90: 90, p99: 99, max: 100 });
    assert.deepEqual(percentiles([7]), { p50: 7, p90: 7, p99: 7, max: 7 });
    assert.deepEqual(percentiles([1, 2]), { p50: 1, p90: 2, p99: 2, max: 2 });
  });

  it('counts those that are ready, in steps and in all, from each own beginning', () => {
    const report = stormReport(
      [run(1, 0, 1000, { loader: 10, kernel: 100 }), run(2, 500, 2500, { loader: 30, kernel: 200 })],
      QUIET,
    );
    assert.deepEqual([report.nodes, report.ready, report.seconds], [2, 2, 2.5]);
    assert.deepEqual(report.total, { p50: 1000, p90: 2000, p99: 2000, max: 2000 });
    assert.deepEqual(
      report.steps.map(({ step, count, p50 }) => [step, count, p50]),
      [
        ['loader', 2, 10],
        ['kernel', 2, 100],
      ],
    );
    assert.deepEqual(report.curve, [
      [0, 0],
      [1, 1],
      [2.5, 2],
    ]);
  });

  it('counts failures by step and code, the most frequent first, and takes none of them for ready', () => {
    const failed = (i: number, step: StormStep, message: string): NodeRun => ({
      ...run(i, 0, 500, { 'firmware-dhcp': 3 }),
      failure: { step, code: 'no-answer', message },
    });
    const report = stormReport([failed(1, 'loader', 'a'), failed(2, 'kernel', 'b'), failed(3, 'kernel', 'c')], QUIET);
    assert.deepEqual(report.failed, [
      { step: 'kernel', code: 'no-answer', count: 2, example: 'b' },
      { step: 'loader', code: 'no-answer', count: 1, example: 'a' },
    ]);
    assert.deepEqual([report.ready, report.total, report.curve], [0, null, [[0, 0]]]);
    assert.equal(report.steps[0]?.count, 3, 'what a node did before it failed counts');
  });

  it('keeps the curve short, and its last point', () => {
    const { curve } = stormReport(
      Array.from({ length: 10_001 }, (_, i) => run(i, 0, i + 1)),
      QUIET,
    );
    assert.ok(curve.length <= 202);
    assert.deepEqual(curve.at(-1), [10.001, 10_001]);
  });

  it('is whole where nothing ran', () => {
    const report = stormReport([], QUIET);
    assert.deepEqual([report.nodes, report.total, report.bottleneck, report.steps], [0, null, null, []]);
  });
});

describe('the bottleneck', () => {
  const runs = Array.from({ length: 10 }, (_, i) => run(i, 0, 10_000, { kernel: 2000, initrd: 6000, loader: 1000 }));
  const of = (load: Partial<StormLoad>) => bottleneckOf(runs, { ...QUIET, ...load }, 10);

  it('is the clients where their thread has no time left, whatever else is busy', () => {
    assert.deepEqual(of({ ownCpuSeconds: 9.5, machineCpuSeconds: 20, idleCpuSeconds: 0 }), {
      code: 'clients',
      share: 0.95,
    });
  });
  it('is the machine where its processors are busy', () => {
    assert.deepEqual(of({ machineCpuSeconds: 19, idleCpuSeconds: 1, waits: 50 }), { code: 'machine', share: 0.95 });
  });
  it('is what the server asked for, where it asked a part of the nodes to wait', () => {
    assert.deepEqual(of({ waits: 5 }), { code: 'waits', count: 5 });
    assert.equal(of({ waits: 1 })?.code, 'step');
  });
  it('is else the step that took the most of the time', () => {
    assert.deepEqual(of({}), { code: 'step', step: 'initrd', share: 6 / 9 });
  });
});
