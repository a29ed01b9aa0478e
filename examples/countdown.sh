#!/bin/sh
# Counts down from INPUT_STEPS (10), hashing a file over and over between two numbers. Needs nothing but sh and
# sha256sum, as in a busybox image: it speaks with Tailrace by the files under $TAILRACE_DIR alone.
#
# The checkpoint is one line: the number it is at, where it began, the hash so far. A run that was stopped and went on
# ends with the same hash as one that was not.
set -eu

dir=${TAILRACE_DIR:-/tailrace}
if [ -d "$dir" ]; then
    events=$dir/events
else # on a laptop
    dir=.
    events=/dev/null
    mkdir -p checkpoint outputs
fi
total=${INPUT_STEPS:-10}
hashes=${INPUT_HASHES:-1000} # in each step
case $total$hashes in
*[!0-9]*)
    echo "inputs steps and hashes: whole numbers are needed, not $total and $hashes" >&2
    exit 2
    ;;
esac

stop=
trap 'stop=signal' TERM

emit() { # append one event: one printf is one write
    printf '%s\n' "$1" >>"$events"
}

save() { # write to another name, then rename: whenever we are killed, a complete checkpoint is there
    printf '%s %s %s\n' "$n" "$total" "$hash" >"$dir/checkpoint/.n.tmp"
    mv "$dir/checkpoint/.n.tmp" "$dir/checkpoint/n"
}

step() {
    i=0
    while [ "$i" -lt "$hashes" ]; do
        hash=$(printf '%s' "$hash" | sha256sum)
        hash=${hash%% *}
        i=$((i + 1))
    done
}

emit '{"checkpoints": true}' # we watch for a stop, and 85 means what it means

if [ -f "$dir/checkpoint/n" ]; then
    read -r n total hash <"$dir/checkpoint/n"
    echo "resuming at $n"
else
    n=$total
    hash=start
    echo "counting down from $n"
fi

while [ "$n" -gt 0 ]; do
    echo "$n"
    step
    n=$((n - 1))
    save
    emit "{\"progress\": $((100 * (total - n) / total)), \"phase\": \"counting\"}"
    if [ -f "$dir/stop" ] || [ -n "$stop" ]; then
        echo "stop requested: the checkpoint is at $n"
        exit 85
    fi
done

echo "$hash" >"$dir/outputs/hash.txt"
emit "{\"result\": {\"steps\": $total, \"sha256\": \"$hash\"}}"
echo "lift-off: $hash"
