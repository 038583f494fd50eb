#!/bin/sh
# Make .venv ready: python3's own venv, the pinned packages, and fddkit itself, editable.
# Every make target calls this first; it does nothing when nothing has changed.
#
#     make test PYTHON=python3.12     with another Python (3.11 or newer)
#     PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make reproduce
#                                     on Linux without a GPU: leaves out 4 GB of CUDA packages
#
# Needs no root, GPU or account. On failure: one sentence that says what to do, and status 1.

set -eu
unset PYTHONHOME PYTHONPATH PIP_USER PIP_TARGET PIP_PREFIX # would lead pip out of .venv
CDPATH='' cd -- "$(dirname -- "$0")/.."
here=$(pwd)
python=${PYTHON:-python3}
log=.venv/setup.log
cpu_index=https://download.pytorch.org/whl/cpu
# Measured at the highest point, in MB: 2000 beside 500 of downloads; with CUDA packages 7200.
needed_mb=3000

fail() {
    echo "set-up stopped: $1" >&2
    exit 1
}

version_of() { # nothing if it is missing or does not run
    "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null || true
}

# What an environment was made of: a venv cannot be moved, nor carried to another Python.
packages_key() {
    echo "$(cksum <requirements.lock) python ${1%.*} $here"
}

packages_ready() {
    version=$(version_of .venv/bin/python)
    [ "$(cat .venv/packages.stamp 2>/dev/null)" = "$(packages_key "$version")" ] || return 1
    wanted=${PYTHON:+$(version_of "$python")} # any Python serves if none was named
    [ -z "${PYTHON:-}" ] || [ "${wanted%.*}" = "${version%.*}" ]
}

project_ready() {
    [ "$(cat .venv/project.stamp 2>/dev/null)" = "$(cksum <pyproject.toml)" ]
}

check_python() {
    hint="or name one that you have, as in: make test PYTHON=python3.12"
    version=$(version_of "$python")
    [ -n "$version" ] ||
        fail "there is no working $python here; install Python 3.11 or newer (python.org), $hint"
    case $version in
    [0-2].* | 3.[0-9].* | 3.10.*)
        fail "$python is Python $version, but 3.11 or newer is needed; install one (python.org), $hint"
        ;;
    esac
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "$python ($version) has no venv module; install it (Debian, Ubuntu: apt install python3-venv), $hint"
}

check_disk() {
    # the column before the percentage: names of file systems may hold spaces
    free_mb=$(df -Pk . | awk 'NR == 2 {
        for (i = 2; i <= NF; i++) if ($i ~ /^[0-9]+%$/) print int($(i - 1) / 1024)
    }')
    [ "${free_mb:-$needed_mb}" -ge "$needed_mb" ] ||
        fail "only $free_mb MB are free on the disk of $here; free at least $needed_mb MB, then run the same command again"
    { mkdir -p .venv && true >"$log"; } 2>/dev/null ||
        fail "cannot write to $here/.venv; move the project to a folder that you may write to"
}

pip() {
    # its temporary files on the disk that was checked: /tmp is often small
    mkdir -p .venv/tmp
    TMPDIR=$here/.venv/tmp .venv/bin/python -m pip --disable-pip-version-check --no-input "$@" \
        >>"$log" 2>&1 </dev/null || explain
    rm -rf .venv/tmp
}

explain() {
    seen() { tail -n 30 "$log" | grep -Eiq "$1"; } # what was overcome lies further up
    if seen 'no space left on device|disk quota exceeded'; then
        fail "the disk is full; free 3 GB (8 GB with the CUDA packages, which PIP_EXTRA_INDEX_URL=$cpu_index leaves out), then run the same command again"
    elif seen 'ConnectionError|ConnectTimeout|ReadTimeout|NewConnection|connection broken|name resolution|NameResolution|network is unreachable|ProxyError|SSLError|HTTPError|HTTP error|Could not connect'; then
        fail "the package index cannot be reached; check the network (or proxy), then run the same command again; details: $log"
    elif seen 'no matching distribution found'; then
        package=$(sed -n 's/.*No matching distribution found for \([^ ]*\).*/\1/p' "$log" | tail -n 1)
        fail "$package is not offered for Python $version on this machine; use another Python, as in: make test PYTHON=python3.12; details: $log"
    fi
    echo "the last lines of $here/$log:" >&2
    tail -n 15 "$log" >&2
    fail "pip failed as shown above; solve that, then run the same command again"
}

install_packages() {
    check_python
    check_disk
    [ ! -d .venv/bin ] || echo "The environment in .venv is unfinished or out of date."
    echo "Setting up .venv with Python $version, once: some minutes, depending on the network."
    echo "Progress: tail -f '$here/$log'"
    rm -f .venv/*.stamp # first: what is cleared below is no environment any more
    if ! said=$("$python" -m venv --clear .venv 2>&1); then
        echo "$said" >&2
        fail "$python -m venv failed as shown above; solve that, then run the same command again"
    fi
    pip install --progress-bar off -r requirements.lock
    packages_key "$version" >.venv/packages.stamp
}

packages_ready || install_packages
if ! project_ready; then
    pip install --no-deps --no-build-isolation --editable .
    cksum <pyproject.toml >.venv/project.stamp
fi
