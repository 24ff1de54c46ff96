#!/bin/sh
# What stops a machine before its server can be reached, in words for the console: no space, no programs, no driver for the
# network card. Sourced by the agent's programs and the first initrd, not run.
# shellcheck disable=SC2034 # what is set here is used there

SYS=${SYS-/sys}
MODULES=${MODULES-/lib/modules}

# --------------------------------------------------------------------------------------------------------- room, programs

# fullness: which of the agent's folders cannot be written to, in words; nothing where all can.
fullness() {
  for place in "$RUN" "$KEPT"; do
    mkdir -p "$place" 2>/dev/null
    if printf '%65536s' '' 2>/dev/null >"$place/room"; then
      rm -f "$place/room"
      continue
    fi
    rm -f "$place/room" 2>/dev/null
    # shellcheck disable=SC2046 # numbers
    set -- $(stat -f -c '%b %S %a' "$place" 2>/dev/null)
    if [ "$(($# == 3 && $3 * $2 >= 65536))" = 1 ]; then
      echo "$place cannot be written to"
    else
      echo "no room in $place${2+ (its file system has $(($1 * $2 / 1000000)) MB)}: give the machine more RAM, or make image and bundle smaller"
    fi
    return
  done
} 2>/dev/null

# lacking_programs: the programs that are missing of those without which nothing works, and their packages in Debian; nothing where all are there.
lacking_programs() {
  lacks=''
  for program in ip:iproute2 tar:tar awk:mawk sed:sed grep:grep sha256sum:coreutils stat:coreutils timeout:coreutils xargs:findutils; do
    command -v "${program%:*}" >/dev/null || lacks="$lacks, ${program%:*} (package ${program#*:})"
  done
  if ! command -v curl >/dev/null && ! command -v wget >/dev/null && ! command -v busybox >/dev/null; then
    lacks="$lacks, a program that fetches: curl, wget or busybox (package curl)"
  fi
  printf %s "${lacks#, }"
}

# ------------------------------------------------------------------------------------------------------------------ cards

# driverless_cards: a line for each network card that has no driver, or whose driver made no interface of it: which card, and what would
# help.
driverless_cards() {
  release=$(uname -r)
  for path in "$SYS"/bus/pci/devices/* "$SYS"/bus/virtio/devices/*; do
    [ -e "$path/vendor" ] || continue
    vendor='' card=''
    read_value "$path/vendor" && vendor=${VALUE#0x}
    read_value "$path/device" && card=${VALUE#0x}
    case $path in
      */virtio/*) [ "$card" = 0001 ] || continue ;;
      *)
        read_value "$path/class"
        # What is on the virtio bus counts there.
        case $VALUE:$vendor in *:1af4) continue ;; 0x02*) ;; *) continue ;; esac
        ;;
    esac
    alias=''
    read_value "$path/modalias" && alias=$VALUE
    name="the network card $vendor:$card at ${path##*/}"
    if [ -e "$path/driver" ]; then
      [ ! -d "$path/net" ] || continue
      driver=$(readlink -f "$path/driver")
      driver=${driver##*/}
      name_package "$driver"
      echo "$name has the driver $driver, which made no interface of it: does it lack its firmware${FIRMWARE:+ (package $FIRMWARE)}? See the kernel's messages"
      continue
    fi
    module=$(module_of "$alias" "$release")
    if [ -n "$module" ]; then
      echo "$name has no driver: the image has the module $module, which nothing loaded. Is udev in the image (package udev)?"
      continue
    fi
    name_module "$vendor:$card"
    name_package "${LIKELY%% *}"
    case $release in
      *cloud*) help='this kernel is for virtual machines; take the package linux-image-amd64 instead of linux-image-cloud-amd64' ;;
      *) help='take a kernel that has it (package linux-image-amd64), and see that remove and slim leave it' ;;
    esac
    echo "$name has no driver: kernel $release of the image has none${LIKELY:+ (module $LIKELY)}; $help${FIRMWARE:+, with firmware (package $FIRMWARE)}"
  done
}

# module_of MODALIAS RELEASE: the module that the lists of that kernel have for a device.
module_of() {
  [ -n "$1" ] && [ -r "$MODULES/$2/modules.alias" ] || return 0
  while read -r _ pattern module; do
    # shellcheck disable=SC2254 # a pattern
    case $1 in $pattern)
      echo "$module"
      return
      ;;
    esac
  done <<END
$(grep "^alias ${1%%:*}:" "$MODULES/$2/modules.alias")
END
}

# name_module VENDOR:DEVICE: sets LIKELY to the module that drives such a card, or to those of its maker; to nothing where it is not known.
name_module() {
  case $1 in
    8086:100? | 8086:101? | 8086:107?) LIKELY=e1000 ;;
    8086:10d3 | 8086:15[bcdef]? | 8086:0d[45]? | 8086:1a1?) LIKELY='e1000e or igc' ;;
    8086:10c9 | 8086:150? | 8086:151[0-6] | 8086:152[0-7] | 8086:153[0-9a-f]) LIKELY=igb ;;
    8086:10fb | 8086:1528 | 8086:155[78] | 8086:1563 | 8086:15a[bc]) LIKELY=ixgbe ;;
    8086:157? | 8086:158? | 8086:37d?) LIKELY=i40e ;;
    8086:159? | 8086:188? | 8086:124? | 8086:579?) LIKELY=ice ;;
    8086:*) LIKELY='e1000e, igb, igc, ixgbe, i40e or ice' ;;
    14e4:163[9abc] | 14e4:164[ac] | 14e4:16a[ac]) LIKELY=bnx2 ;;
    14e4:164[ef] | 14e4:165[0-2f] | 14e4:166[23] | 14e4:168[ade] | 14e4:16a[124de] | 14e4:16ad) LIKELY=bnx2x ;;
    14e4:16[cdef]? | 14e4:17[5-9]? | 14e4:180?) LIKELY=bnxt_en ;;
    14e4:*) LIKELY='tg3, bnx2, bnx2x or bnxt_en' ;;
    15b3:100[37] | 15b3:63* | 15b3:67*) LIKELY=mlx4_en ;;
    15b3:*) LIKELY=mlx5_core ;;
    10ec:8139) LIKELY=8139too ;;
    10ec:*) LIKELY=r8169 ;;
    1af4:*) LIKELY=virtio_net ;;
    15ad:*) LIKELY=vmxnet3 ;;
    1d0f:*) LIKELY=ena ;;
    1ae0:*) LIKELY=gve ;;
    19a2:* | 10df:*) LIKELY=be2net ;;
    1077:*) LIKELY=qede ;;
    1425:*) LIKELY=cxgb4 ;;
    1924:*) LIKELY=sfc ;;
    1137:*) LIKELY=enic ;;
    19ee:*) LIKELY=nfp ;;
    1dd8:*) LIKELY=ionic ;;
    1022:2000) LIKELY=pcnet32 ;;
    1022:*) LIKELY=amd-xgbe ;;
    1d6a:*) LIKELY=atlantic ;;
    11ab:*) LIKELY=sky2 ;;
    1969:*) LIKELY='alx or atl1c' ;;
    10de:*) LIKELY=forcedeth ;;
    *) LIKELY='' ;;
  esac
}

# name_package MODULE: sets FIRMWARE to Debian's package (non-free-firmware) of the firmware that the module loads.
name_package() {
  case $1 in
    bnx2) FIRMWARE=firmware-bnx2 ;;
    bnx2x) FIRMWARE=firmware-bnx2x ;;
    r8169) FIRMWARE=firmware-realtek ;;
    qede | qed) FIRMWARE=firmware-qlogic ;;
    nfp) FIRMWARE=firmware-netronome ;;
    ice | cxgb4) FIRMWARE=firmware-misc-nonfree ;;
    *) FIRMWARE='' ;;
  esac
}
