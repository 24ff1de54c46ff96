import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Disturbance, linger } from '../stage.ts';

/** A bad edit leaves the last good site serving. */
export const siteBroken: Disturbance = {
  name: 'site broken',
  served: 'all',
  async run({ site, random, begun, over }) {
    const file = join(site, 'site.yaml');
    const good = readFileSync(file, 'utf8');
    begun();
    for (let i = random.between(1, 4); i > 0; i--) {
      const bad = random.pick([
        '',
        good.slice(0, random.below(good.length)),
        `${good}nodes: {\n`,
        good.replace('subnet:', 'sbnet:'),
        random.bytes(2000).toString('latin1'),
        good.replaceAll('10.0.0.', '10.0.0.300'),
      ]);
      writeFileSync(file, bad);
      await linger(random, 100, 1500);
    }
    writeFileSync(`${file}.new`, good);
    renameSync(`${file}.new`, file);
    over();
  },
};
