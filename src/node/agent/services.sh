#!/bin/sh
# The services that the kernel line holds back: starting them, and their logs if they do not start. Sourced by the agent's
# programs, not run.
# shellcheck disable=SC2034 # what is set here is used there

# The log of a service that starts for longer than this is reported, and again at intervals. A unit may take for ever:
# nova-compute counts as started when it has reached the cloud.
PATIENCE_SECONDS=45
REMINDER_SECONDS=120

# each_held COMMAND: runs COMMAND with the name of each service, in their order.
each_held() {
  rest=$HELD,
  while [ -n "$rest" ]; do
    service=${rest%%,*}
    rest=${rest#*,}
    case $service in
      '') continue ;;
      [.-]* | *[!A-Za-z0-9@_.:-]*)
        say "not the name of a service: $service"
        continue
        ;;
    esac
    "$1" "$service"
  done
}

# Sets UNIT to the unit of the service $1.
name_unit() { case $1 in *.*) UNIT=$1 ;; *) UNIT=$1.service ;; esac; }

# bring_up SERVICE: starts it and reports how that went.
bring_up() {
  start "service $1"
  if start_service "$1"; then finish; else complain "$1 did not start" "$WORK/service.log"; fi
}

# start_service NAME: with systemd (which skipped it at boot, see reveille-hold) or by its init script. What was printed is in
# service.log.
start_service() {
  if ! has_systemd; then
    (umask 022 && exec "/etc/init.d/$1" start) >"$WORK/service.log" 2>&1 </dev/null
    return
  fi
  name_unit "$1"
  limit=$PATIENCE_SECONDS
  while :; do
    # Only the waiting ends with the limit: systemd goes on starting, and the next call waits for the same start.
    timeout "$limit" systemctl start "$UNIT" >"$WORK/service.log" 2>&1 </dev/null
    started=$?
    # GNU's timeout gives 124, busybox's what the signal makes.
    case $started in
      124 | 143) ;;
      0) break ;;
      # Its files changed meanwhile, and it was restarted with the new ones.
      *) is_starting || break ;;
    esac
    service_words "$1" >"$WORK/service.log"
    clock
    seconds=$(((NOW - STEP_BEGAN) / 1000))
    say "$1 is still starting after $seconds s"
    report started "still starting after $seconds s" "$WORK/service.log"
    limit=$REMINDER_SECONDS
  done
  [ "$started" != 0 ] || systemctl -q is-failed "$UNIT" || return 0
  {
    systemctl status --no-pager --full --lines=0 "$UNIT"
    service_words "$1"
  } >"$WORK/service.log" 2>&1 </dev/null
  return 1
}

# Whether UNIT is being started or runs; not while systemd only waits to try again what has failed.
is_starting() {
  case $(systemctl show --property=SubState --value "$UNIT" 2>/dev/null </dev/null) in
    start* | running | reload*) true ;;
    *) false ;;
  esac
}

# service_words SERVICE: the end of its journal, then the relevant lines of its log files: lines of level WARNING and above, and
# those that show progress, without tracebacks. Services of OpenStack log to a file with their own name, in a folder with the name
# of their project.
service_words() {
  name=${1%.*}
  if has_systemd && command -v journalctl >/dev/null; then
    name_unit "$1"
    journalctl --no-pager --quiet --boot --output=cat --lines=12 --unit="$UNIT" 2>/dev/null </dev/null |
      masked | cut -c 1-300
  fi
  look_anew
  for folder in "/var/log/$name" "/var/log/${name%%-*}"; do
    # The folder is the service's: it may hold what root should not read for anyone, or what never ends.
    at "$folder" log_words "$name.log" 2>/dev/null
    [ $? = 3 ] || break
  done
  leave_stages
}

# log_words FILE: of that log in the working directory; without it of the two logs that changed last.
log_words() {
  if [ -e "./$1" ]; then
    log_end "$1"
    return 0
  fi
  # shellcheck disable=SC2010,SC2012 # names that a service gives its logs
  ls -t . | grep '\.log$' | head -n 2 | while IFS= read -r file; do log_end "$file"; done
  return 0
}

# log_end FILE: not of what has another name elsewhere, which may be another's file.
log_end() {
  pin "$1" || return 0
  if [ ! -L "$PINNED" ] && [ "$(stat -c %h "$PINNED")" -le 2 ]; then end_of "$PINNED" 65536 | troubles_only; fi
  unpin
}

troubles_only() {
  grep -E ' (WARNING|ERROR|CRITICAL) |onnected to AMQP|Starting compute node|Agent initialized|RPC Daemon Started' | grep -v -E ' (ERROR|CRITICAL) [^ ]+ ( |$|Traceback)|RPCClient manually|Deprecated: Option' |
    tail -n 12 | masked | cut -c 1-500
}

# report_log SERVICE: reports its state and its log.
report_log() {
  state=unknown
  if has_systemd; then
    name_unit "$1"
    state=$(systemctl is-active "$UNIT" 2>/dev/null </dev/null)
  fi
  begin "service $1" >/dev/null
  service_words "$1" >"$WORK/service.log"
  DURING=service
  report started "${state:-unknown}" "$WORK/service.log"
  DURING=refresh
}
