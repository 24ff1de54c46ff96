#!/bin/sh
# Runs as root on node01 at every boot, once its files are written and its services are up.
set -e
sysctl -q -w vm.swappiness=10
