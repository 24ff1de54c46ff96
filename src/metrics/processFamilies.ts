import type { Family } from './text.ts';

/** What Prometheus' clients tell of their process: processor time, memory, start. `startedAt` is in seconds since the epoch. */
export function processFamilies(
  { user, system }: NodeJS.CpuUsage,
  residentBytes: number,
  startedAt: number,
): readonly Family[] {
  return [
    {
      name: 'process_cpu_seconds_total',
      kind: 'counter',
      help: 'Processor time of the server, all of its threads.',
      samples: [{ value: (user + system) / 1e6 }],
    },
    {
      name: 'process_resident_memory_bytes',
      kind: 'gauge',
      help: 'Memory of the server.',
      samples: [{ value: residentBytes }],
    },
    {
      name: 'process_start_time_seconds',
      kind: 'gauge',
      help: 'When the server started, in seconds since the epoch.',
      samples: [{ value: startedAt }],
    },
  ];
}
