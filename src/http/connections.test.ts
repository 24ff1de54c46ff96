import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Connections } from './connections.ts';

/** What `Connections` sees of a socket. */
class Wire extends EventEmitter {
  readonly remoteAddress: string;
  written = '';
  destroyed = false;

  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }

  destroySoon(): void {
    this.destroy();
  }

  end(text: string): void {
    this.written += text;
  }

  pause(): void {}
  resume(): void {}
}

function rig(most: number, mostEach: number) {
  const connections = new Connections(most, mostEach);
  const asSocket = (wire: Wire) => wire as unknown as Socket;
  const request = (wire: Wire) => ({ socket: asSocket(wire), complete: true }) as IncomingMessage;
  return {
    connections,
    admit(address: string): Wire {
      const wire = new Wire(address);
      connections.admit(asSocket(wire));
      return wire;
    },
    began: (wire: Wire) => connections.began(request(wire), {} as ServerResponse),
    ended: (wire: Wire) => connections.ended(asSocket(wire)),
  };
}

describe('connections', () => {
  it('that have no place get 503 with Retry-After, and are closed', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { connections, admit, began } = rig(2, 2);
    for (const wire of [admit('a'), admit('b')]) began(wire);
    const refused = admit('c');
    assert.match(refused.written, /^HTTP\/1\.1 503 [\s\S]*Retry-After: 2\r\n/);
    assert.equal(refused.destroyed, false);
    t.mock.timers.tick(1000);
    assert.equal(refused.destroyed, true);
    assert.equal(connections.size, 2);
  });

  it('that idle go before those that have not asked yet, and those before any that is answered', () => {
    const { admit, began, ended } = rig(3, 3);
    const [busy, fresh, idle] = [admit('a'), admit('b'), admit('c')];
    began(busy);
    began(idle);
    ended(idle);
    admit('d');
    assert.deepEqual(
      [busy, fresh, idle].map((wire) => wire.destroyed),
      [false, false, true],
    );
    admit('e');
    assert.deepEqual(
      [busy, fresh, idle].map((wire) => wire.destroyed),
      [false, true, true],
    );
  });

  it('of the address with the most go first', () => {
    const { admit } = rig(5, 5);
    const one = admit('a');
    const crowd = [admit('b'), admit('b'), admit('b'), admit('b')];
    admit('c');
    assert.equal(one.destroyed, false);
    assert.deepEqual(
      crowd.map((wire) => wire.destroyed),
      [true, false, false, false],
    );
  });

  it('that are answered give way to an address that has fewer, not to one that has as many', () => {
    const { admit, began } = rig(4, 4);
    const crowd = ['b', 'b', 'b', 'b'].map(admit);
    for (const wire of crowd) began(wire);
    const one = admit('a');
    began(one);
    assert.deepEqual(
      crowd.map((wire) => wire.destroyed),
      [false, false, false, true],
      'the newest',
    );
    began(admit('a'));
    assert.equal(crowd.filter((wire) => wire.destroyed).length, 2);
    assert.match(admit('a').written, /503/);
    assert.match(admit('b').written, /503/);
  });

  it('of one address make room for its own once it has as many as it may', () => {
    const { admit, began } = rig(10, 2);
    const [first, second] = [admit('a'), admit('a')];
    began(second);
    const third = admit('a');
    assert.deepEqual(
      [first, second, third].map((wire) => wire.destroyed),
      [true, false, false],
    );
    began(third);
    assert.match(admit('a').written, /503/);
  });

  it('are counted right, whatever comes', () => {
    const step = fc.tuple(
      fc.constantFrom('admit', 'began', 'ended', 'close'),
      fc.constantFrom('a', 'b', 'c'),
      fc.nat(9),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { connections, admit, began, ended } = rig(5, 3);
        const wires: Wire[] = [];
        for (const [what, address, which] of steps) {
          const wire = wires[which % Math.max(1, wires.length)];
          if (what === 'admit') {
            const next = admit(address);
            if (next.written === '') wires.push(next);
            else next.destroy();
          } else if (wire && what === 'close') wire.destroy();
          else if (wire && what === 'began') began(wire);
          else if (wire) ended(wire);
          const live = wires.filter((one) => !one.destroyed);
          assert.equal(connections.size, live.length);
          assert.ok(live.length <= 5);
          for (const one of 'abc') assert.ok(live.filter((wire) => wire.remoteAddress === one).length <= 3);
        }
        connections.closeAll();
        assert.equal(connections.size, 0);
      }),
    );
  });
});
