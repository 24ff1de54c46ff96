import { writeFileSync } from 'node:fs';
import { type Disturbance, linger } from '../stage.ts';

const HOUR = 3600;

const step = (name: string, seconds: number): Disturbance => ({
  name: `clock ${name}`,
  served: 'all',
  async run({ clock, random, begun, over }) {
    begun();
    writeFileSync(clock, `${seconds < 0 ? '' : '+'}${seconds}\n`);
    await linger(random, 3000, 5000);
    writeFileSync(clock, '+0\n');
    // The library looks at its file once a second.
    await linger(random, 1100, 1200);
    over();
  },
});

/** The clock is set, and set right again some seconds later. Leases last four hours. */
export const clockSteps: readonly Disturbance[] = [
  step('an hour back', -HOUR),
  step('an hour ahead', HOUR),
  step('ten hours ahead', 10 * HOUR),
  step('a month back', -30 * 24 * HOUR),
];
