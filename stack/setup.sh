#!/bin/sh
# Makes .venv from uv.lock, on a machine that may have no more than Python 3.11. uv comes from PATH if it is recent
# enough, else from the package index into .tools, a tool environment of its own.
set -eu
cd "$(dirname "$0")/.."

UV_VERSION=0.13.8
UV_OLDEST=0.8.0

say() { printf 'setup    | %s\n' "$*"; }

is_recent() {
    found=$("$1" --version 2>/dev/null | cut -d ' ' -f 2)
    [ -n "$found" ] && [ "$(printf '%s\n%s\n' "$UV_OLDEST" "$found" | sort -V | head -n 1)" = "$UV_OLDEST" ]
}

# Debian ships Python without the part that makes environments.
ensure_venv_module() {
    if python3 -c 'import ensurepip, venv' 2>/dev/null; then
        return
    fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing python3-venv"
        export DEBIAN_FRONTEND=noninteractive
        apt-get --quiet --quiet update || true
        apt-get --quiet --quiet -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends python3-venv >/dev/null
    else
        say "Python cannot make environments here. Run as root: apt-get install python3-venv (or install uv)" >&2
        exit 1
    fi
}

if is_recent uv; then
    uv=uv
elif is_recent .tools/bin/uv; then
    uv=.tools/bin/uv
else
    ensure_venv_module
    say "installing uv $UV_VERSION into .tools"
    rm -rf .tools
    python3 -m venv .tools
    .tools/bin/pip --quiet --disable-pip-version-check install "uv==$UV_VERSION"
    uv=.tools/bin/uv
fi

say "installing the locked environment into .venv"
# Compiled here, once, because every process of the stack would do it again where Python may not write.
exec "$uv" sync --locked --quiet --compile-bytecode
