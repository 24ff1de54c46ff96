import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { COMMON_MEASURES, type Gauges, MEASURES, type Measure } from '../model/gauges.ts';
import { ip } from '../model/testing/fixture.ts';
import type { Boot } from '../timeline/boots.ts';
import { BootTimes } from './bootTimes.ts';
import { processFamilies } from './processFamilies.ts';
import { rackFamilies } from './rackFamilies.ts';
import { metricName, serviceFamilies } from './serviceFamilies.ts';
import { type Family, Histogram, metricsText } from './text.ts';

const MONITORING = join(import.meta.dirname, '../../docs/monitoring');

/** A number for each measure that there is. */
const ALL: ReadonlyMap<string, Gauges> = new Map(
  Object.entries(MEASURES).map(([service, measures]) => [
    service,
    Object.fromEntries(Object.keys({ ...measures, ...COMMON_MEASURES }).map((name, i) => [name, i])),
  ]),
);

const boot = (startedAt: number, updatedAt: number, state: Boot['state']): Boot => ({
  startedAt,
  updatedAt,
  state,
  steps: [],
});

function everything(): readonly Family[] {
  const times = new BootTimes(() => [boot(0, 30_000, 'ready')]);
  times.see({ node: 'node01' });
  const range = { first: ip(200), last: ip(209) };
  const pool = { range, allow: [], deny: [], options: new Map() };
  return [
    ...processFamilies({ user: 1_500_000, system: 500_000 }, 1e8, 1.7e9),
    ...serviceFamilies(ALL),
    ...times.families(),
    ...rackFamilies({
      status: {
        nodes: [{ name: 'node"01\\\n', state: 'ready', boot: boot(0, 9000, 'ready') }] as never,
        strangers: [{ triedToBoot: true }] as never,
      },
      networks: new Map([['rack', { pools: [pool] }]]),
      lentFrom: ['10.0.0.200-10.0.0.209', '10.0.0.200-10.0.0.209', 'gone'],
      images: [{ name: 'compute', bytes: 5 }],
      rolls: [{ state: 'running' }, { state: 'done' }, { state: 'done' }],
      nodes: true,
    }),
  ];
}

/** What promtool says; it fails where there is anything to say. */
function promtool(args: readonly string[], input?: string): string {
  return execFileSync('promtool', args, { ...(input === undefined ? {} : { input }), encoding: 'utf8' });
}

describe('the metrics', () => {
  it('are as Prometheus wants them, names and all', () => {
    assert.equal(promtool(['check', 'metrics'], metricsText(everything())), '');
    assert.throws(() => promtool(['check', 'metrics'], metricsText([{ ...(everything()[0] as Family), help: '' }])));
  });

  it('have one name each', () => {
    const names = everything().map(({ name }) => name);
    assert.deepEqual(names, [...new Set(names)]);
  });

  it('have a metric for each number of each service', () => {
    const names = new Set(everything().map(({ name }) => name));
    for (const [service, measures] of Object.entries(MEASURES))
      for (const [name, { kind }] of Object.entries<Measure>(measures))
        assert.ok(names.has(metricName(service, name, kind)), `${service} ${name}`);
  });

  it('have names by the conventions', () => {
    assert.equal(metricName('dhcp', 'requests', 'counter'), 'reveille_dhcp_requests_total');
    assert.equal(metricName('dhcp', 'other-server', 'counter'), 'reveille_dhcp_other_server_total');
    assert.equal(metricName('tftp', 'bytesSent', 'counter'), 'reveille_tftp_sent_bytes_total');
    assert.equal(metricName('http', 'downloads', 'gauge'), 'reveille_http_downloads');
    assert.equal(metricName('state', 'oldestMs', 'gauge'), 'reveille_state_oldest_seconds');
  });

  it('name no node and no MAC unless the site asks for it', () => {
    const rack = (nodes: boolean) =>
      metricsText(
        rackFamilies({
          status: { nodes: [{ name: 'node01', state: 'ready', boot: null }] as never, strangers: [] },
          networks: new Map(),
          lentFrom: [],
          images: [],
          rolls: [],
          nodes,
        }),
      );
    assert.doesNotMatch(rack(false), /node01/);
    assert.match(rack(false), /^reveille_nodes\{state="ready"\} 1$/m);
    assert.match(rack(true), /^reveille_node_state\{node="node01",state="ready"\} 1$/m);
  });
});

describe('a histogram', () => {
  it('counts each value in every bucket that it is within', () => {
    const histogram = new Histogram([1, 5]);
    for (const value of [0.5, 1, 3, 9]) histogram.add(value);
    const values = histogram.samples().map(({ suffix, labels, value }) => [suffix, labels?.le, value]);
    assert.deepEqual(values, [
      ['_bucket', '1', 2],
      ['_bucket', '5', 3],
      ['_bucket', '+Inf', 4],
      ['_sum', undefined, 13.5],
      ['_count', undefined, 4],
    ]);
  });
});

describe('ends of boots', () => {
  it('are counted once each, and not those that were over before', () => {
    let boots: readonly Boot[] = [boot(1, 2, 'ready')];
    const times = new BootTimes(() => boots);
    const counted = () => times.families()[0]?.samples.map(({ value }) => value);
    times.startWith(['node01']);
    times.see({ node: 'node01' });
    assert.deepEqual(counted(), [0, 0]);
    boots = [boot(10, 11, 'booting')];
    times.see({ node: 'node01' });
    boots = [boot(10, 20, 'failed')];
    for (let i = 0; i < 3; i++) times.see({ node: 'node01' });
    boots = [boot(30, 45_030, 'ready')];
    times.see({ node: 'node01' });
    times.see({});
    assert.deepEqual(counted(), [1, 1]);
    assert.equal(times.families()[1]?.samples.find(({ suffix }) => suffix === '_sum')?.value, 45);
  });
});

describe('what is shipped for monitoring', () => {
  const names = new Set([
    ...everything().flatMap(({ name, kind }) =>
      kind === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
    'reveille_service_running',
  ]);
  const used = (text: string) => [...text.matchAll(/\b(?:reveille|process)_\w+/g)].map(([name]) => name);

  it('has rules that Prometheus takes, over metrics that there are', () => {
    const file = join(MONITORING, 'alerts.yml');
    promtool(['check', 'rules', file]);
    const { groups } = parse(readFileSync(file, 'utf8')) as { groups: { rules: { expr: string }[] }[] };
    const rules = groups.flatMap(({ rules: all }) => all.map(({ expr }) => expr));
    assert.ok(rules.length > 5);
    for (const name of rules.flatMap(used)) assert.ok(names.has(name), name);
  });

  it('has a dashboard over metrics that there are', () => {
    for (const file of globSync('*.json', { cwd: MONITORING })) {
      const { panels } = JSON.parse(readFileSync(join(MONITORING, file), 'utf8')) as {
        panels: { title: string; targets: { expr: string }[] }[];
      };
      assert.ok(panels.length > 5);
      for (const name of panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => used(expr))))
        assert.ok(names.has(name), name);
    }
  });
});
