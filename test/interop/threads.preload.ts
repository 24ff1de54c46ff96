import { writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

// Read by the server under test before its own code (`node --import`). On SIGUSR2 its main thread stands still for a while; then it says so in a file.

const STILL_MS = 8000;

if (isMainThread)
  process.on('SIGUSR2', () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STILL_MS);
    writeFileSync(process.env.REVEILLE_TEST_MOVES ?? '', '');
  });
