#!/bin/sh
# Runs as root on the node at every boot, once its files are written and its services are up. This one writes on the serial
# console what the node has become, which `reveille demo` reads there and holds against the site.
set -eu
role='' shelf='' address=''
# shellcheck source=/dev/null
. /etc/role.conf
root=$(stat -f -c %T /)
motd=$(sha256sum /etc/motd | cut -d ' ' -f 1)
echo "demo-proof name=$(hostname) address=$address role=$role shelf=$shelf beacon=$(cat /run/beacon) motd=$motd root=$root uid=$(id -u)" >/dev/console
