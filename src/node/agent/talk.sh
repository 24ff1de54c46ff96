#!/bin/sh
# What the agent's programs share: small tools, the kernel line, asking the server, reports. Read by them, not run.
# shellcheck disable=SC2034 # what is set here is used there

umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
unset http_proxy HTTP_PROXY all_proxy ALL_PROXY

RUN=/run/reveille     # this boot: staged bundle, reports not yet delivered, logs
KEPT=/var/lib/reveille # what was laid, and what it took the place of
LONGEST_PAUSE=30
TAIL_BYTES=4096
TAB=$(printf '\t')

say() { printf 'reveille: %s\n' "$*"; }

# Sets NOW to the milliseconds since the kernel started.
clock() {
  read -r up _ </proc/uptime
  NOW=$((${up%.*} * 1000 + (1${up#*.} - 100) * 10))
}

# Waits DELAY seconds, up to half less or more so that a rack does not ask in step, and doubles DELAY.
pause() {
  read -r uuid </proc/sys/kernel/random/uuid
  wait_ms=$((DELAY * (500 + 0x${uuid%%-*} % 1000)))
  sleep "$(printf '%d.%03d' $((wait_ms / 1000)) $((wait_ms % 1000)))" 2>/dev/null || sleep "$DELAY"
  DELAY=$((DELAY * 2))
  [ "$DELAY" -le "$LONGEST_PAUSE" ] || DELAY=$LONGEST_PAUSE
}

# Standard input as one line of text: control characters become spaces, the ends are trimmed.
plain() { tr '\000-\037\177' ' ' | sed 's/^ *//; s/ *$//'; }

# Sets VALUE to the first line of a file of the kernel; to nothing if it cannot be read. Forks nothing: on a small
# machine the number of processes is what the agent's time goes into.
read_value() {
  VALUE=''
  [ -r "$1" ] && { IFS= read -r VALUE <"$1"; } 2>/dev/null
  [ -n "$VALUE" ]
}

has_systemd() { [ -d /run/systemd/system ] && command -v systemctl >/dev/null; }

# Whether the file $1 of the kernel says $2.
says() { read_value "$1" && [ "$VALUE" = "$2" ]; }

# ---------------------------------------------------------------------------------------------------- the kernel line

# Sets SERVER, MAC, NODE, HELD, KEY_TYPE and KEY_DATA. `sshpub=` holds two words, in quotes or not.
read_kernel_line() {
  SERVER='' MAC='' NODE='' HELD='' KEY_TYPE='' KEY_DATA='' tftp=''
  set -f
  # shellcheck disable=SC2046 # the kernel line is a list of words
  set -- $(cat /proc/cmdline)
  set +f
  while [ $# -gt 0 ]; do
    word=$1
    shift
    case $word in
      reveille.server=http://?*) SERVER=${word#*=} ;;
      reveille.node=*) NODE=${word#*=} ;;
      reveille.hold=*) HELD=${word#*=} ;;
      TFTP=*) tftp=${word#*=} ;;
      BOOTIF=01-*) MAC=$(printf %s "${word#BOOTIF=01-}" | tr 'A-F-' 'a-f:') ;;
      sshpub=* | \"sshpub=*)
        KEY_TYPE=${word#*=}
        KEY_TYPE=${KEY_TYPE#\"}
        KEY_DATA=${1-}
        KEY_DATA=${KEY_DATA%\"}
        ;;
    esac
  done
  SERVER=${SERVER%/}
  [ -n "$SERVER" ] || [ -z "$tftp" ] || SERVER=http://$tftp:8080
}

# -------------------------------------------------------------------------------------------------- talking to a server

# request PATH ANSWER [BODY]: asks the server, POST if there is a body file. Sets STATUS, 000 if no whole answer came.
# ASKING is the rest of the query. An answer that may stay away for HELD_SECONDS is waited for that long and a bit more.
request() {
  : >"$2"
  : >"$WORK/headers"
  # With its own time, so that a clock that is off is seen.
  url="$SERVER$1?mac=$MAC&time=$(date +%s)${ASKING-}"
  if command -v curl >/dev/null; then
    limits='--speed-limit 1 --speed-time 30'
    [ -z "${HELD_SECONDS-}" ] || limits="--max-time $((HELD_SECONDS + 30))"
    # shellcheck disable=SC2086 # words
    STATUS=$(curl -qsS --noproxy '*' --connect-timeout 5 $limits -D "$WORK/headers" -o "$2" \
      -w '%{http_code}' ${3:+--data-binary "@$3"} "$url" 2>"$WORK/trouble") || STATUS=000
  else
    # Not wget's own -T: a busybox that was built without it crashes on it.
    if timeout $((${HELD_SECONDS:-270} + 30)) wget -S -O "$2" ${3:+--post-file "$3"} "$url" 2>"$WORK/headers"; then
      # busybox takes every status from 200 to 206 as a success.
      STATUS=$(sed -n 's/.*HTTP\/1\.[01] \(2[0-9][0-9]\).*/\1/p' "$WORK/headers" | tail -n 1)
      STATUS=${STATUS:-200}
    else
      STATUS=$(sed -n 's/.*HTTP\/1\.[01] \([45][0-9][0-9]\).*/\1/p' "$WORK/headers" | tail -n 1)
      STATUS=${STATUS:-000}
    fi
    tail -n 1 "$WORK/headers" >"$WORK/trouble"
  fi
}

# Why the last request was not answered as hoped: the server's words, the client's, or the bare status.
words() {
  if [ "$STATUS" != 000 ] && [ -s "$1" ]; then
    head -c 500 "$1" | plain
  elif [ -s "$WORK/trouble" ]; then
    head -c 500 "$WORK/trouble" | plain
  else
    echo "status $STATUS"
  fi
}

# The checksum header of the last answer.
checksum_header() {
  tr -d '\r' <"$WORK/headers" | sed -n 's/^ *[Xx]-[Rr]eveille-[Ss]ha256: *\([0-9a-f]*\)$/\1/p' | tail -n 1
}

# ------------------------------------------------------------------------------------------------------------- reports

# begin STEP: a short step begins; its time counts from here.
begin() {
  STEP=$1
  clock
  STEP_BEGAN=$NOW
  say "$STEP"
}

# start STEP: a step begins that may take long, which is reported.
start() {
  begin "$1"
  report started
}

# finish [DETAIL]: the step that began is done.
finish() {
  report 'done' "${1-}"
}

# try_again WHY: the step goes on, but not smoothly.
try_again() {
  say "$1"
  report started "trying again: $1"
}

# fail DETAIL [OUTPUT]: the step that began failed; OUTPUT is a file whose tail is sent along.
fail() {
  say "$STEP failed: $1"
  [ -z "${2-}" ] || [ ! -r "$2" ] || tail_of "$2"
  report failed "$@"
}

# masked: standard input with passwords hidden: those in URLs, up to the last of several hosts, and values of such settings.
masked() {
  sed -e 's#://[^ "'\'']*@#://***@#g' \
    -e 's/\([Pp]ass[A-Za-z_]*["'\'']\{0,1\} *[=:] *["'\'']\{0,1\}\)[^ "'\'',;}]\{1,\}/\1***/g'
}

# tail_of FILE: its end. What is cut off in the middle of a password must not be what is left of it.
tail_of() { tail -c $((2 * TAIL_BYTES)) "$1" | tr -d '\000' | masked | tail -c "$TAIL_BYTES"; }

# begin_reports: the first report's number. Numbers go on where a program that was cut off left them: the server takes
# each number of a boot once. All have the same number of digits, so that their order is that of their names.
begin_reports() {
  mkdir -p "$RUN/reports" "$KEPT"
  read -r BOOT </proc/sys/kernel/random/boot_id
  clock
  SEQUENCE=$((1000000000 + NOW))
}

# report STATUS [DETAIL] [OUTPUT]: keeps a report in order behind the ones not delivered yet, then tries to deliver all.
report() {
  clock
  SEQUENCE=$((SEQUENCE + 1))
  file=$RUN/reports/$SEQUENCE
  detail=${2-}
  case $detail in *[[:cntrl:]]*) detail=$(printf %s "$detail" | plain) ;; esac
  [ "${#detail}" -le 500 ] || detail=$(printf %s "$detail" | head -c 500)
  {
    printf 'boot=%s\nseq=%s\nstep=%s\nstatus=%s\nms=%s\n' "$BOOT" "$SEQUENCE" "$STEP" "$1" $((NOW - STEP_BEGAN))
    [ -z "${DURING-}" ] || echo "during=$DURING"
    [ -z "$detail" ] || printf 'detail=%s\n' "$detail"
    echo
    [ -z "${3-}" ] || [ ! -r "$3" ] || tail_of "$3"
  } >"$file.new"
  mv -f "$file.new" "$file"
  deliver
}

# Sends the reports that wait, oldest first. Fails at the first that does not arrive; one that the server will never
# take is dropped.
deliver() {
  [ -n "$ONLINE" ] || return 1
  for waiting in "$RUN"/reports/*[0-9]; do
    [ -e "$waiting" ] || return 0
    request /node/v1/report "$WORK/answer" "$waiting"
    case $STATUS in
      200 | 204) ;;
      400 | 413) say "report refused: $(words "$WORK/answer")" ;;
      *) return 1 ;;
    esac
    rm -f "$waiting"
  done
}

