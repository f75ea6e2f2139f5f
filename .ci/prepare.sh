# shellcheck shell=bash
# What Tests/run and Examples/quickstart have in common: installing what is missing, on Debian and its kin.
# Sourced; everything is said on standard error.

say() { printf '%s\n' "$*" >&2; }

# Runs a command as root; fails where this user cannot become root without being asked.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif ! command -v sudo >/dev/null; then
        say "this user is not root, and there is no sudo"
        return 1
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

is_installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# install_packages NAME...: installs those that are missing. Fails, with a word on why, if it cannot.
install_packages() {
    local missing=() name log
    command -v apt-get >/dev/null || {
        say "cannot install $*: there is no apt-get here"
        return 1
    }
    for name in "$@"; do is_installed "$name" || missing+=("$name"); done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    log=$(mktemp)
    if as_root apt-get update >"$log" 2>&1 &&
        as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
        rm -f "$log"
        return 0
    fi
    say "cannot install ${missing[*]}:"
    tail -n 3 "$log" >&2
    rm -f "$log"
    return 1
}

# What building needs besides Swift: libdrm, and pkg-config to find it.
install_build_packages() {
    if command -v pkg-config >/dev/null && pkg-config --exists libdrm && command -v git >/dev/null; then
        return
    fi
    install_packages git libdrm-dev pkg-config || {
        say "These are needed: git, pkg-config and the headers of libdrm."
        exit 1
    }
}

# Ends the script unless a new enough Swift is there.
need_swift() {
    local wanted=6.1 version=""
    if command -v swift >/dev/null; then
        version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/\1/p' | head -n 1)
    fi
    if [ -n "$version" ] && [ "$(printf '%s\n' "$wanted" "$version" | sort -V | head -n 1)" = "$wanted" ]; then
        return
    fi
    say "Swift $wanted or newer is needed; found ${version:-none}. https://www.swift.org/install/linux tells how"
    say "to get it without being root."
    exit 69
}

# quietly LOG COMMAND...: keeps the output in a file and shows its end only if the command fails.
quietly() {
    local log=$1 status=0
    shift
    mkdir -p "$(dirname "$log")"
    "$@" >"$log" 2>&1 </dev/null || status=$?
    if [ "$status" -ne 0 ]; then
        tail -n 60 "$log" >&2
        say "failed: $* (all of its output is in $log)"
    fi
    return "$status"
}
