import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Step, Transfer, type TransferTerms } from './transfer.ts';

const LOCKSTEP: TransferTerms = { lastBlock: 3, windowSize: 1, oack: false };

/** `1-4`, `oack`, `-`, `done`, `done?` (unconfirmed), `probed` or `failed`. */
function short(step: Step): string {
  switch (step.do) {
    case 'send':
      return step.first === step.last ? `${step.first}` : `${step.first}-${step.last}`;
    case 'wait':
      return '-';
    case 'done':
      return step.confirmed ? 'done' : 'done?';
    default:
      return step.do;
  }
}

/** Plays `a3` (ACK 3), `e8` (ERROR 8), `r` (the request again, 200 ms later) and `t` (the timer, when it is due) and tells what each, and the start, led to. */
function play(terms: Partial<TransferTerms>, ...inputs: string[]): string {
  const transfer = new Transfer({ ...LOCKSTEP, ...terms });
  let now = 1000;
  const steps = [short(transfer.start(now))];
  for (const input of inputs) {
    now += 1;
    const number = Number(input.slice(1));
    if (input === 'r') {
      now += 200;
      steps.push(short(transfer.onRepeatedRequest(now)));
    } else if (input === 't') {
      now = transfer.deadline;
      steps.push(short(transfer.onTimer(now)));
    } else steps.push(short(input.startsWith('a') ? transfer.onAck(number, now) : transfer.onError(number, 'no')));
  }
  return steps.join(' ');
}

test('lockstep', () => {
  const rows: [string, Partial<TransferTerms>, string[], string][] = [
    ['in order', {}, ['a1', 'a2', 'a3'], '1 2 3 done'],
    ['one empty block', { lastBlock: 1 }, ['a1'], '1 done'],
    ['with options', { oack: true }, ['a0', 'a1', 'a2', 'a3'], 'oack 1 2 3 done'],
    ['ACK 1 does not answer an OACK', { oack: true }, ['a1', 'a0'], 'oack - 1'],
    [
      'a duplicated ACK never sends the next block twice',
      {},
      ['a1', 'a1', 'a1', 'a2', 'a1', 'a2', 'a3'],
      '1 2 - - 3 - - done',
    ],
    ['a duplicated ACK 0 neither', { oack: true }, ['a0', 'a0', 'a1'], 'oack 1 - 2'],
    ['an old ACK', {}, ['a1', 'a2', 'a1'], '1 2 3 -'],
    ['a future ACK', {}, ['a2', 'a9', 'a65535', 'a1'], '1 - - - 2'],
    ['a lost block', {}, ['a1', 't', 'a2', 'a3'], '1 2 2 3 done'],
    ['a lost OACK: the request again', { oack: true }, ['r', 'r', 'a0', 'a1'], 'oack oack oack 1 2'],
    ['a lost first block: the request again', {}, ['r', 'r', 'a1', 'a2'], '1 1 1 2 3'],
    ['the request again, too late', {}, ['a1', 'r', 'a2'], '1 2 - 3'],
    ['the same with options', { oack: true }, ['a0', 'r', 'a1'], 'oack 1 - 2'],
    ['the echo of a repeated request', {}, ['r', 'a1', 'a1', 'a2', 'a2', 'a3'], '1 1 2 - 3 - done'],
    ['the echo of a retransmission', {}, ['a1', 't', 'a2', 'a2', 'a3'], '1 2 2 3 - done'],
    ['a client that never answers gets one packet', {}, ['t'], '1 failed'],
    ['one that never answers, small file', { lastBlock: 1 }, ['t'], '1 failed'],
    ['one that never answers the OACK', { oack: true }, ['t'], 'oack failed'],
    ['one that vanishes midway', {}, ['a1', 't', 't', 't', 't', 't', 't'], '1 2 2 2 2 2 2 failed'],
    ['the final ACK never comes', {}, ['a1', 'a2', 't', 't', 't', 't'], '1 2 3 3 3 3 done?'],
    ['the final ACK comes late', {}, ['a1', 'a2', 't', 't', 'a3'], '1 2 3 3 3 done'],
    [
      'progress counts the retries anew',
      { lastBlock: 9 },
      ['a1', 't', 't', 't', 't', 'a2', 't', 't', 't', 't', 't', 't'],
      '1 2 2 2 2 2 3 3 3 3 3 3 failed',
    ],
    ['a tsize probe, error 8', { oack: true }, ['e8'], 'oack probed'],
    ['a tsize probe, error 0', { oack: true }, ['e0'], 'oack probed'],
    ['a probe that let ACK 0 out', { oack: true }, ['a0', 'e0'], 'oack 1 probed'],
    ['disk full', { oack: true }, ['e3'], 'oack failed'],
    ['an abort midway', { oack: true }, ['a0', 'a1', 'e0'], 'oack 1 2 failed'],
    ['error 0 without options', {}, ['e0'], '1 failed'],
  ];
  for (const [what, terms, inputs, expected] of rows) assert.equal(play(terms, ...inputs), expected, what);
});

test('windows', () => {
  const four = { windowSize: 4, lastBlock: 10 };
  const rows: [string, Partial<TransferTerms>, string[], string][] = [
    ['in order', four, ['a4', 'a8', 'a10'], '1-4 5-8 9-10 done'],
    ['a file shorter than the window', { windowSize: 4, lastBlock: 2 }, ['a2'], '1-2 done'],
    ['a partial ACK: from there again', four, ['a4', 'a6', 'a10'], '1-4 5-8 7-10 done'],
    ['a gap reported more than once is heeded once', four, ['a4', 'a6', 'a6', 'a6', 'a10'], '1-4 5-8 7-10 - - done'],
    ['the first block of a window lost: heeded once', four, ['a4', 'a4', 'a4', 'a8'], '1-4 5-8 5-8 - 9-10'],
    ['an ACK of an earlier window', four, ['a4', 'a8', 'a4', 'a5'], '1-4 5-8 9-10 - -'],
    ['a future ACK', four, ['a5', 'a11'], '1-4 - -'],
    ['a lost window', four, ['a4', 't', 'a8', 'a10'], '1-4 5-8 5-8 9-10 done'],
    ['the final ACK never comes', four, ['a4', 'a8', 't', 't', 't', 't'], '1-4 5-8 9-10 9-10 9-10 9-10 done?'],
  ];
  for (const [what, terms, inputs, expected] of rows) assert.equal(play(terms, ...inputs), expected, what);
});

test('block numbers wrap to 0 after 65535, more than once', () => {
  const lastBlock = 2 * 65536 + 10;
  const transfer = new Transfer({ lastBlock, windowSize: 1, oack: false });
  let step = transfer.start(0);
  for (let block = 1; block < lastBlock; block++) {
    assert.deepEqual(step, { do: 'send', first: block, last: block });
    if (block > 1) assert.equal(transfer.onAck((block - 1) & 0xffff, block).do, 'wait');
    step = transfer.onAck(block & 0xffff, block);
  }
  assert.deepEqual(transfer.onAck(lastBlock & 0xffff, 0), { do: 'done', confirmed: true });
});

test('a window that spans the wrap is acknowledged in part and in full', () => {
  const transfer = new Transfer({ lastBlock: 70000, windowSize: 16, oack: false });
  let step = transfer.start(0);
  while (step.do === 'send' && step.last < 65535) step = transfer.onAck(step.last, 0);
  assert.deepEqual(step, { do: 'send', first: 65521, last: 65536 });
  assert.deepEqual(transfer.onAck(65535, 0), { do: 'send', first: 65536, last: 65551 });
  assert.deepEqual(transfer.onAck(0, 0), { do: 'send', first: 65537, last: 65552 });
  assert.deepEqual(transfer.onAck(16, 0), { do: 'send', first: 65553, last: 65568 });
});

/** How long a client that acknowledged block 1 is waited for, from one retransmission to the next. */
function waits(terms: Partial<TransferTerms>): number[] {
  const transfer = new Transfer({ ...LOCKSTEP, ...terms });
  const gaps: number[] = [];
  transfer.start(0);
  transfer.onAck(1, 1000);
  for (let now = 1000; ; ) {
    gaps.push(transfer.deadline - now);
    now = transfer.deadline;
    assert.equal(transfer.onTimer(now - 1).do, 'wait');
    if (transfer.onTimer(now).do !== 'send') return gaps;
  }
}

test('the time-out backs off, from one second or from what the client asked', () => {
  assert.deepEqual(waits({}), [1000, 1000, 2000, 4000, 8000, 8000]);
  assert.deepEqual(waits({ timeoutMs: 3000 }), [3000, 3000, 6000, 8000, 8000, 8000]);
});

test('whatever timeout a client asks for, its silence is borne for a minute and retransmissions come within 20 s', () => {
  for (const timeoutMs of [20_000, 60_000, 255_000]) assert.deepEqual(waits({ timeoutMs }), [20_000, 20_000, 20_000]);
});

test('a client that was not heard is waited for 10 s, whatever timeout it asks for', () => {
  for (const oack of [false, true]) {
    for (const timeoutMs of [1000, 255_000]) {
      const transfer = new Transfer({ ...LOCKSTEP, oack, timeoutMs });
      transfer.start(500);
      assert.equal(transfer.deadline, 10_500);
      assert.notEqual(transfer.onRepeatedRequest(5000).do, 'wait');
      assert.equal(transfer.deadline, 10_500);
      assert.equal(transfer.onTimer(10_499).do, 'wait');
      assert.equal(transfer.onTimer(10_500).do, 'failed');
    }
  }
});

test('a request that the network doubled is answered once', () => {
  for (const oack of [false, true]) {
    const transfer = new Transfer({ ...LOCKSTEP, oack });
    const first = transfer.start(1000);
    assert.deepEqual(transfer.onRepeatedRequest(1001), { do: 'wait' });
    assert.deepEqual(transfer.onRepeatedRequest(1199), { do: 'wait' });
    assert.deepEqual(transfer.onRepeatedRequest(1200), first);
    assert.deepEqual(transfer.onRepeatedRequest(1399), { do: 'wait' });
    assert.deepEqual(transfer.onRepeatedRequest(1400), first);
  }
});

test('which ACKs say something new', () => {
  const plain = new Transfer(LOCKSTEP);
  plain.start(0);
  assert.deepEqual(
    [0, 1, 2, 65535].filter((block) => plain.acknowledges(block)),
    [1],
  );
  const withOptions = new Transfer({ ...LOCKSTEP, oack: true, windowSize: 2 });
  withOptions.start(0);
  assert.deepEqual(
    [0, 1, 2, 65535].filter((block) => withOptions.acknowledges(block)),
    [0],
  );
  withOptions.onAck(0, 1);
  assert.deepEqual(
    [0, 1, 2, 3].filter((block) => withOptions.acknowledges(block)),
    [1, 2],
  );
});

test('an end that only reading tells is heeded whenever it comes', () => {
  const endless = { ...LOCKSTEP, lastBlock: Number.POSITIVE_INFINITY, windowSize: 4, oack: true };
  const transfer = new Transfer(endless);
  transfer.start(0);
  assert.deepEqual(transfer.onAck(0, 1), { do: 'send', first: 1, last: 4 });
  assert.deepEqual(transfer.endsAt(2), { do: 'wait' });
  assert.deepEqual(transfer.onAck(2, 2), { do: 'done', confirmed: true });

  // A client that acknowledges what was never sent has what it asked for.
  const hasty = new Transfer(endless);
  hasty.start(0);
  hasty.onAck(0, 1);
  hasty.onAck(4, 2);
  assert.deepEqual(hasty.endsAt(2), { do: 'done', confirmed: true });
});

test('measured round trips bring the first retransmission forward, unless the client chose the time', () => {
  const near = new Transfer(LOCKSTEP);
  near.start(0);
  near.onAck(1, 1);
  assert.equal(near.deadline, 201);
  near.onTimer(201);
  assert.equal(near.deadline, 1201);

  const far = new Transfer(LOCKSTEP);
  far.start(0);
  far.onAck(1, 60);
  assert.equal(far.deadline, 60 + 480);

  const chosen = new Transfer({ ...LOCKSTEP, timeoutMs: 5000 });
  chosen.start(0);
  chosen.onAck(1, 1);
  assert.equal(chosen.deadline, 5001);
});

test('over any wire that loses, repeats and delays packets, every block arrives in order and the work is bounded', () => {
  const fates = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 50, maxLength: 50 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 16 }),
      fc.boolean(),
      fates,
      (lastBlock, windowSize, oack, fate) => {
        const transfer = new Transfer({ lastBlock, windowSize, oack });
        let turn = 0;
        const lost = (): boolean => fate[turn++ % 50] === 0;
        const twice = (): boolean => fate[turn++ % 50] === 1;
        let now = 0;
        let got = 0;
        let sends = 0;
        /** How often the client has sent its request again. */
        let asked = 0;
        let lastStep: Step = transfer.start(now);
        const acks: number[] = [];
        const receive = (step: Step): void => {
          if (step.do === 'oack' && !lost()) acks.push(0);
          if (step.do !== 'send') return;
          let inWindow = 0;
          for (let block = step.first; block <= step.last; block++) {
            sends++;
            if (lost()) continue;
            if (block === got + 1) {
              got = block;
              inWindow++;
            } else inWindow = windowSize;
          }
          if (inWindow > 0) acks.push(got);
        };
        receive(lastStep);
        for (let i = 0; i < 5000 && lastStep.do !== 'done' && lastStep.do !== 'failed'; i++) {
          const ack = acks.shift();
          now++;
          if (ack === undefined && transfer.heardAt === undefined && asked++ < 5) {
            now += 1000;
            lastStep = transfer.onRepeatedRequest(now);
          } else if (ack === undefined) {
            now = transfer.deadline;
            lastStep = transfer.onTimer(now);
          } else if (lost()) continue;
          else {
            if (twice()) acks.push(ack);
            lastStep = transfer.onAck(ack & 0xffff, now);
          }
          receive(lastStep);
        }
        if (lastStep.do === 'done' && lastStep.confirmed) assert.equal(got, lastBlock);
        assert.ok(lastStep.do === 'done' || lastStep.do === 'failed', lastStep.do);
        // For each block that is acknowledged at most: its window, once more for a repeated ACK, and five retries.
        assert.ok(sends <= 7 * windowSize * (lastBlock + 1), `${sends} packets for ${lastBlock} blocks`);
      },
    ),
    { numRuns: 500 },
  );
});
