import { layServerBridge, sh } from '../../rig/network.ts';
import { type Disturbance, linger } from '../stage.ts';

const loss = (name: string, lose: () => void, restore: () => void): Disturbance => ({
  name,
  served: 'nothing',
  async run({ random, begun, over }) {
    begun();
    lose();
    await linger(random, 500, 7000);
    restore();
    over();
  },
});

export const interfaceLoss: readonly Disturbance[] = [
  loss(
    'link down',
    () => sh('ip -n server link set eth0 down'),
    () => sh('ip -n server link set eth0 up'),
  ),
  loss(
    'bridge down',
    () => sh('ip -n server link set br0 down'),
    () => sh('ip -n server link set br0 up'),
  ),
  loss(
    'bridge deleted',
    () => sh('ip -n server link del br0'),
    () => layServerBridge(0),
  ),
  loss(
    'address removed',
    () => sh('ip -n server addr flush dev br0'),
    () => sh('ip -n server addr add 10.0.0.2/12 dev br0'),
  ),
];
