import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { ReveilleError } from '../../errors.ts';
import { holdRack } from '../hold.ts';

// Holds a rack that never stands: `sleep` runs in its place, and ends the set-up when it ends. Prints the pid of the sleeper.
// With a second argument the rack is not needed any more.
const [state = '', unwanted] = process.argv.slice(2);
await holdRack(
  { site: '/a/site', state },
  async (report) => {
    const sleeper = spawn('setpriv', ['--pdeathsig', 'KILL', 'sleep', '1000']);
    report('fetching the moon');
    console.log(sleeper.pid);
    await once(sleeper, 'exit');
    throw new ReveilleError('LAB_FAILED', 'the sleeper ended');
  },
  { onUp: () => {}, unwanted: unwanted ? AbortSignal.abort() : new AbortController().signal },
).catch((error: Error) => console.log(error.message));
