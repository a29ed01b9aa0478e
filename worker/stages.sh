#!/bin/sh
# Runs the stages of an execution in turn, inside its container: setup, main, teardown. Any POSIX shell will do. Of an
# image's other programs `sleep` is needed for time limits; `setsid`, `env` and `python3` are used where they are there.
#
#   stages.sh SIGNAL SETUP_WORDS SETUP_SECONDS TEARDOWN_WORDS TEARDOWN_SECONDS [WORD]…
#
# SIGNAL is the number of the one that asks to stop. The first SETUP_WORDS words are the setup's command, the next
# TEARDOWN_WORDS the teardown's, the others the main command; no word of a stage: there is no such stage. The exit code is
# the main command's; if that was never started, the setup's, or that of the signal.
#
# The file `stages` of the mount has a line for each beginning and each end:
#
#   STAGE
#   STAGE EXIT_CODE HOW            in-time, or late: its time was over
#   main EXIT_CODE HOW             free, or told or signaled: as far as it was asked to stop by then
#   STAGE EXIT_CODE missing NAME   it has never begun: there is no such program, or none that can be executed
#   asked                          we have heard the signal that asks to stop

stop=$1 setup_words=$2 setup_seconds=$3 teardown_words=$4 teardown_seconds=$5
shift 5
mount=${TAILRACE_DIR:-/tailrace}
stage='' child='' clock='' woken='' asked='' passed_on='' late='' ran='' code=0
# What a clock that has run out sends us, and how many seconds a stage has from SIGTERM to SIGKILL then.
ring=14
[ "$stop" -eq 14 ] && ring=26
patience=5
set -f
# The shell's own remarks ("Terminated") are not for the log; the stages write where they always would.
exec 9>&2 2>/dev/null

tell() {
    printf '%s\n' "$*" >>"$mount/stages"
}

# Whether it is to stop. A pause is no reason.
is_to_stop() {
    [ -n "$asked" ] && return 0
    [ -f "$mount/stop" ] || return 1
    notice=''
    read -r notice <"$mount/stop"
    # Nothing: it was taken back just now.
    case $notice in '' | *'"reason":"pause"'*) return 1 ;; esac
}

# Pass a signal on, as it would have come without us. The teardown is not disturbed.
forward() {
    woken=1
    [ -z "$child" ] && return
    passed_on=1
    [ "$stage" != teardown ] && kill -"$1" "$child"
}

on_stop() {
    # Before it is passed on: who is not ready for signals yet reads it.
    [ -n "$asked" ] || tell asked
    asked=1
    forward "$stop"
}

on_ring() {
    woken=1
    [ -n "$clock" ] || return
    if [ -z "$late" ]; then
        late=1
        signal_all 15
        start_clock "$patience"
    else
        signal_all 9
    fi
}

# All that the stage has started, if it has a session of its own.
signal_all() {
    kill -"$1" "-$child" || kill -"$1" "$child"
}

# Second by second: while the container is frozen this clock stands still too.
start_clock() {
    (
        left=$1
        while [ "$left" -gt 0 ]; do
            sleep 1 || exit
            left=$((left - 1))
        done
        kill -"$ring" $$
    ) >/dev/null 9>&- &
    clock=$!
}

# 0 if there is such a program; else the exit code of one that cannot be started.
find_program() {
    case $1 in
    */*)
        [ -e "$1" ] || return 127
        [ -f "$1" ] && [ -x "$1" ] && return 0
        return 126
        ;;
    esac
    found=127
    IFS=:
    for folder in $PATH; do
        [ -f "${folder:-.}/$1" ] || continue
        found=126
        [ -x "${folder:-.}/$1" ] && found=0 && break
    done
    unset IFS
    return "$found"
}

# How a program is started so that it finds everything as it would without us. A shell lets what is in its background
# ignore SIGINT and SIGQUIT, and cannot take that back itself.
restore=''
as_ever='import os, signal, sys
for each in (signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGXFSZ):
    signal.signal(each, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])'
if env --default-signal=INT,QUIT true; then
    restore=env
elif python3 -ISc ''; then
    restore=python3
fi
# The same for a stop that came before: until here it may have been ignored, or taken by our own handler's copy.
heed='while read -r line; do
    [ "$line" = asked ] && kill -"$1" $$
done <"$2"
shift 2
exec "$@"'
session=''
setsid true && session=setsid

# run STAGE SECONDS WORD…: a stage, until it has ended; its exit code is in `code`. 0 seconds: as long as it likes.
run() {
    stage=$1 seconds=$2 late='' ran="$ran $1"
    shift 2
    tell "$stage"
    find_program "$1"
    code=$?
    if [ "$code" -ne 0 ]; then
        tell "$stage $code missing $1"
        return
    fi
    [ "$stage" = teardown ] || set -- /bin/sh -c "$heed" sh "$stop" "$mount/stages" "$@"
    case $restore:$1 in
    env:*=*) ;;
    env:*) set -- env --default-signal=INT,QUIT "$@" ;;
    python3:*) set -- python3 -ISc "$as_ever" "$@" ;;
    esac
    [ -n "$session" ] && set -- setsid "$@"
    passed_on=''
    (
        exec 2>&9 9>&-
        exec "$@"
    ) &
    child=$!
    # It came while there was nobody to pass it on to.
    [ -n "$asked" ] && [ -z "$passed_on" ] && forward "$stop"
    [ "$seconds" -gt 0 ] && start_clock "$seconds"
    await
    child=''
    [ -n "$clock" ] && kill "$clock"
    clock=''
    how=in-time
    [ -n "$late" ] && how=late
    [ "$how:$code" = late:0 ] && code=124
    if [ "$stage" = main ]; then
        how=free
        is_to_stop && how=told
        [ -n "$asked" ] && how=signaled
    fi
    tell "$stage $code $how"
}

# A signal ends a `wait` before its time. Who is gone has told its exit code; some shells tell it only once.
await() {
    code=''
    while :; do
        woken=''
        wait "$child"
        told=$?
        [ "$told" -eq 127 ] && [ -n "$code" ] && return
        code=$told
        [ -n "$woken" ] || return
        kill -0 "$child" && code=''
    done
}

# run_first STAGE WORDS SECONDS WORD…: a stage of the first so many of these words.
run_first() {
    name=$1 words=$2 limit=$3
    shift 3
    others=$(($# - words))
    while [ "$words" -gt 0 ]; do
        set -- "$@" "$1"
        shift
        words=$((words - 1))
    done
    shift "$others"
    run "$name" "$limit" "$@"
}

run_main() {
    shift "$teardown_words"
    run main 0 "$@"
}

for each in HUP INT QUIT USR1 USR2 TERM; do
    # shellcheck disable=SC2064 # now is the time to expand it
    trap "forward $each" "$each"
done
trap on_ring "$ring"
case $stop in 9 | 17 | 19) ;; *) trap on_stop "$stop" ;; esac

if [ "$setup_words" -gt 0 ] && ! is_to_stop; then
    run_first setup "$setup_words" "$setup_seconds" "$@"
fi
shift "$setup_words"
if [ "$code" -eq 0 ]; then
    if is_to_stop; then
        code=$((128 + stop))
    else
        run_main "$@"
        TAILRACE_EXIT_CODE=$code
        export TAILRACE_EXIT_CODE
    fi
fi
exit_code=$code
# What the main command has left running may be so much that no process more can be started: a shell gives up then.
trap 'exit "$exit_code"' EXIT
if [ "$teardown_words" -gt 0 ] && [ -n "$ran" ]; then
    run_first teardown "$teardown_words" "$teardown_seconds" "$@"
fi
exit "$exit_code"
