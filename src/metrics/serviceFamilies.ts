import { COMMON_MEASURES, type Gauges, MEASURES, type Measure } from '../model/gauges.ts';
import type { Family, Sample } from './text.ts';

/** The numbers of all services and parts by their names. Each number is a metric of its own: `dhcp.requests` is `reveille_dhcp_requests_total`. */
export function serviceFamilies(all: ReadonlyMap<string, Gauges>): readonly Family[] {
  const own = [...all].flatMap(([service, gauges]) => {
    const measures: Readonly<Record<string, Measure>> = (MEASURES as Tables)[service] ?? {};
    return Object.entries(gauges).flatMap(([name, value]): readonly Family[] => {
      const measure = measures[name];
      if (measure === undefined) return [];
      const { kind, meaning } = measure;
      return [
        {
          name: metricName(service, name, kind),
          kind,
          help: sentence(isInMs(name) ? meaning.replace('milliseconds', 'seconds') : meaning),
          samples: [{ value: isInMs(name) ? value / 1000 : value }],
        },
      ];
    });
  });
  const common = Object.entries<Measure>(COMMON_MEASURES).map(([name, { kind, meaning }]): Family => {
    const samples = [...all].flatMap(([service, gauges]): readonly Sample[] => {
      const value = gauges[name];
      return value === undefined ? [] : [{ labels: { service }, value }];
    });
    return { name: metricName('service', name, kind), kind, help: sentence(meaning), samples };
  });
  return [...own, ...common];
}

type Tables = Readonly<Record<string, Readonly<Record<string, Measure>>>>;

/** Words in lower case with `_` between; a unit comes last, and after it `_total` for what only counts up. */
export function metricName(service: string, name: string, kind: Measure['kind']): string {
  const words = `${service}-${name}`.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).split(/[^a-z0-9]+/);
  const unit = words.includes('bytes') ? ['bytes'] : words.includes('ms') ? ['seconds'] : [];
  const rest = words.filter((word) => word !== 'bytes' && word !== 'ms');
  return ['reveille', ...rest, ...unit, ...(kind === 'counter' ? ['total'] : [])].join('_');
}

/** Prometheus has times in seconds. */
function isInMs(name: string): boolean {
  return name.endsWith('Ms');
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}
