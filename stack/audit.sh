#!/bin/sh
# Known vulnerabilities in what uv.lock names, and credentials that got into the sources. The first needs the network: without
# it that is said, and nothing else is held up.
# `audit.sh UV --accept` takes what it finds in the sources for no credentials; look at the difference.
set -u
failed=0

sources() {
    git ls-files -z --cached --others --exclude-standard -- ':!uv.lock' ':!.secrets.baseline'
}

uv=${1:-uv}
if [ "${2:-}" = --accept ]; then
    sources | xargs -0 .venv/bin/detect-secrets scan --no-verify >.secrets.baseline.new || exit 1
    exec mv .secrets.baseline.new .secrets.baseline
fi

answer=$("$uv" audit --frozen --preview-features audit-command 2>&1)
status=$?
printf '%s\n' "$answer"
if [ "$status" -ne 0 ]; then
    if printf '%s' "$answer" | grep -q 'error sending request'; then
        echo 'audit: the database of vulnerabilities cannot be reached: dependencies are NOT audited' >&2
    else
        failed=1
    fi
fi

# What is in the baseline was looked at: examples, and tests of what is to be found. The tool writes to it when lines have
# moved, and ends with 3 then.
baseline=$(mktemp)
trap 'rm -f "$baseline"' EXIT
cp .secrets.baseline "$baseline"
sources | xargs -0 .venv/bin/detect-secrets-hook --no-verify --baseline "$baseline" >"$baseline.found" 2>&1
status=$?
if [ "$status" -ne 0 ] && { grep -q '^Location:' "$baseline.found" || ! grep -q 'was updated' "$baseline.found"; }; then
    cat "$baseline.found" >&2
    echo 'audit: if that is no credential, run `make audit ARGS=--accept`, and look at what it adds' >&2
    failed=1
fi
rm -f "$baseline.found"
[ "$failed" -eq 0 ] && echo 'audit: no credentials in the sources'
exit "$failed"
