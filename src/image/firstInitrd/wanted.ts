/** A kernel module of the first initrd, and what it is there for. */
export type WantedModule = { readonly name: string; readonly why: string };

/** Without these no squashfs becomes a root: a build whose kernel has one neither as a module nor built in fails. */
export const ROOT_MODULES: readonly WantedModule[] = [
  { name: 'loop', why: 'makes a block device of the fetched file' },
  { name: 'squashfs', why: 'the root itself' },
  { name: 'overlay', why: 'lets the node write over the root' },
];

/**
 * What finds the network, as far as the image's kernel has it. A recipe adds others with `initrdModules`. Wireless cards
 * and cards on USB are left out: servers do not boot from them.
 */
export const NETWORK_MODULES: readonly WantedModule[] = [
  { name: 'af_packet', why: "the DHCP client's raw socket" },
  ...cards('virtual machines: KVM', 'virtio_pci', 'virtio_mmio', 'virtio_net', 'e1000', '8139cp', '8139too'),
  ...cards('virtual machines: VMware', 'vmxnet3', 'pcnet32'),
  ...cards('virtual machines: Hyper-V', 'hv_vmbus', 'hv_netvsc', 'pci_hyperv'),
  ...cards('virtual machines: Xen and clouds', 'xen_netfront', 'ena', 'gve'),
  ...cards('Intel, 1 Gbit/s', 'e1000e', 'igb', 'igbvf', 'igc'),
  ...cards('Intel, 10 to 100 Gbit/s', 'ixgbe', 'ixgbevf', 'i40e', 'iavf', 'ice'),
  ...cards('Broadcom', 'tg3', 'bnx2', 'bnx2x', 'bnxt_en'),
  ...cards('Mellanox and NVIDIA', 'mlx4_core', 'mlx4_en', 'mlx5_core'),
  ...cards('Emulex, QLogic, Marvell', 'be2net', 'qede', 'qlcnic', 'netxen_nic', 'sky2', 'atlantic'),
  ...cards('Chelsio, Solarflare, Cisco, Netronome', 'cxgb4', 'sfc', 'enic', 'nfp'),
  ...cards('AMD', 'amd_xgbe', 'ionic'),
  ...cards('small boards and desktops', 'r8169', 'alx', 'atl1c', 'forcedeth'),
  // A card's own chip for the line; the driver loads it by name where softdep does not.
  ...cards('line chips', 'realtek', 'broadcom', 'marvell'),
];

function cards(why: string, ...names: readonly string[]): readonly WantedModule[] {
  return names.map((name) => ({ name, why }));
}
