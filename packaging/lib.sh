# shellcheck shell=bash
# What the scripts of this project share: a Swift toolchain, Debian's packages, the journal, a Debian tree to boot.
# Sourced, never run.

# The oldest Swift that can read the package is what its manifest says.
wanted_swift=$(sed -n '1s|^// swift-tools-version: *||p' "$(dirname "${BASH_SOURCE[0]}")/../Package.swift")

# fail SENTENCE...: says why it ends, and ends.
fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# step TITLE: the next part begins.
step() {
    printf '\n== %s\n' "$*"
}

# find_swift: puts a toolchain in front of PATH, or says where it looked.
find_swift() {
    local place places=(/opt/swift/usr/bin /usr/local/swift/usr/bin /usr/libexec/swift/bin /usr/share/swift/usr/bin)
    if [ -n "${HOME:-}" ]; then places+=("$HOME/.local/share/swiftly/bin"); fi
    if ! command -v swift >/dev/null; then
        for place in "${places[@]}"; do
            if [ -x "$place/swift" ]; then
                PATH=$place:$PATH
                break
            fi
        done
    fi
    command -v swift >/dev/null || fail "no Swift toolchain in PATH or in ${places[*]};" \
        "install Swift $wanted_swift or newer (https://www.swift.org/install/linux/) and run this again"
}

# check_swift: the toolchain works and is new enough.
check_swift() {
    local version
    version=$(swift --version 2>&1) || fail "$(command -v swift) does not run: $version"
    version=$(sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' <<<"$version" | head -n 1)
    if [ "$(printf '%s\n' "$wanted_swift" "$version" | sort --version-sort | head -n 1)" != "$wanted_swift" ]; then
        fail "$(command -v swift) is Swift ${version:-unknown}; install Swift $wanted_swift or newer" \
            "(https://www.swift.org/install/linux/) and run this again"
    fi
}

# lacks PACKAGE: succeeds where what the Debian package is wanted for is not on this machine, whoever put it there.
lacks() {
    case $1 in
        ca-certificates) ! [ -e /etc/ssl/certs/ca-certificates.crt ] ;;
        g++ | git | pkg-config) ! command -v "$1" >/dev/null ;;
        libsystemd-dev) ! pkg-config --exists libsystemd ;;
        libssl-dev) ! pkg-config --exists 'libcrypto >= 3' ;;
        libsqlite3-dev) ! pkg-config --exists sqlite3 ;;
        zlib1g-dev) ! pkg-config --exists zlib ;;
        # What the toolchain's own programs are linked with.
        libcurl4 | libncurses6 | libsqlite3-0 | libxml2 | zlib1g) ! swift build --version >/dev/null 2>&1 ;;
        debhelper) ! command -v dh >/dev/null ;;
        dpkg-dev) ! command -v dpkg-buildpackage >/dev/null ;;
        debootstrap | fish | lintian | mandoc | python3 | zsh) ! command -v "$1" >/dev/null ;;
        man-db) ! command -v man >/dev/null ;;
        systemd-container) ! command -v systemd-nspawn >/dev/null ;;
        acl) ! command -v setfacl >/dev/null ;;
        attr) ! command -v setfattr >/dev/null ;;
        e2fsprogs) ! command -v chattr >/dev/null ;;
        libcap2-bin) ! { command -v setcap || [ -x /sbin/setcap ]; } >/dev/null ;;
        iproute2) ! command -v ip >/dev/null ;;
        openssl) ! command -v openssl >/dev/null ;;
        rsyslog) ! [ -x /usr/sbin/rsyslogd ] ;;
        stunnel4) ! command -v stunnel4 >/dev/null ;;
        systemd-journal-remote) ! [ -x /lib/systemd/systemd-journal-remote ] ;;
        python3-venv) ! python3 -c 'import ensurepip, venv' 2>/dev/null ;;
        python3-jsonschema) ! python3 -c 'import jsonschema' 2>/dev/null ;;
        shellcheck) ! command -v shellcheck >/dev/null ;;
        systemd) ! { [ -x /lib/systemd/systemd-journald ] && command -v journalctl >/dev/null; } ;;
        *) fail "lib.sh does not know how to look for $1" ;;
    esac
}

# need PACKAGE...: what is missing is installed by root; anybody else is told what to type.
need() {
    local package missing=()
    for package; do
        if lacks "$package" 2>/dev/null; then missing+=("$package"); fi
    done
    if [ ${#missing[@]} -eq 0 ]; then return; fi
    command -v apt-get >/dev/null ||
        fail "missing on this machine, under the names Debian has for it: ${missing[*]}; install it and run this again"
    if [ "$(id -u)" -ne 0 ]; then
        fail "packages are missing; run this first: sudo apt-get install ${missing[*]}"
    fi
    printf 'installing %s\n' "${missing[*]}"
    install_packages "${missing[@]}"
    for package in "${missing[@]}"; do
        if lacks "$package"; then fail "$package is installed, and still not usable; see what \`dpkg -L $package\` lists"; fi
    done
}

# install_packages PACKAGE...: quietly where it goes well. Lists that are missing or old are fetched first.
install_packages() {
    local log
    log=$(mktemp)
    if ! apt_install "$@" >"$log" 2>&1; then
        # One broken third-party list must not stop what Debian's own lists can deliver.
        apt-get update --quiet </dev/null >>"$log" 2>&1 || true
        if ! apt_install "$@" >>"$log" 2>&1; then
            tail -n 20 "$log" >&2
            rm -f "$log"
            fail "apt-get cannot install $*; the end of what it says is above"
        fi
    fi
    rm -f "$log"
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends "$@" </dev/null
}

# need_build: whatever building takes.
need_build() {
    find_swift
    need ca-certificates git g++ pkg-config libsystemd-dev libssl-dev libsqlite3-dev zlib1g-dev \
        libcurl4 libncurses6 libsqlite3-0 libxml2 zlib1g
    check_swift
}

# journal_listens: somebody takes entries at the journal's socket.
journal_listens() {
    [ -S /run/systemd/journal/socket ] && command -v systemd-cat >/dev/null && systemd-cat true 2>/dev/null
}

# start_journal: starts journald by hand where nothing does, as in a container; its number is in $journal_pid.
# It announces itself over sd_notify(3), which nobody here listens to, so its socket is asked until it answers.
start_journal() {
    local try
    journal_pid=
    if [ "$(id -u)" -ne 0 ] || journal_listens; then return; fi
    if ! [ -s /etc/machine-id ]; then systemd-machine-id-setup >/dev/null 2>&1; fi
    mkdir -p /run/systemd/journal
    setsid /lib/systemd/systemd-journald </dev/null >/dev/null 2>&1 &
    journal_pid=$!
    for ((try = 0; try < 100; try++)); do
        if journal_listens; then return; fi
        kill -0 "$journal_pid" 2>/dev/null || break
        sleep 0.1
    done
    stop_journal
    printf 'no journal runs here and none could be started; what needs one is skipped\n'
}

# stop_journal: ends what start_journal started.
stop_journal() {
    if [ -z "${journal_pid:-}" ]; then return; fi
    kill "$journal_pid" 2>/dev/null || true
    wait "$journal_pid" 2>/dev/null || true
    journal_pid=
    rm -f /run/systemd/journal/{socket,stdout,dev-log,io.systemd.journal}
}

# debian_tree PACKAGE,...: a Debian tree with these packages, made where it is missing and kept from run to run. Its place
# is in $tree; nobody writes to it. Another list is another tree. $MILLWARDEN_TREES says where they are.
debian_tree() {
    local trees=${MILLWARDEN_TREES:-/var/cache/millwarden}
    [ "$(id -u)" -eq 0 ] || fail "only root can boot a Debian tree; run it with sudo"
    need debootstrap systemd-container
    tree=$trees/bookworm-$(printf '%s' "$1" | sha256sum | cut -c 1-8)
    if [ -e "$tree/etc/debian_version" ]; then return; fi
    step "A Debian tree in $tree"
    mkdir -p "$trees"
    rm -rf "$tree.new"
    debootstrap --variant=minbase --include="$1" bookworm "$tree.new" >"$tree.log" 2>&1 ||
        fail "debootstrap failed; the end of $tree.log says why"
    rm -rf "$tree.new"/var/cache/apt/archives/*.deb
    mv "$tree.new" "$tree"
}

# can_boot: this machine lets a systemd of its own be booted, which takes root, namespaces and control groups.
can_boot() {
    [ "$(id -u)" -eq 0 ] && unshare --mount --pid --net --fork true 2>/dev/null &&
        { [ -w /sys/fs/cgroup/cgroup.procs ] || [ -w /sys/fs/cgroup/systemd/cgroup.procs ]; }
}

# boot_trial DIRECTORY SECONDS OPTION...: boots what the options of systemd-nspawn(1) say. DIRECTORY is /run/trial there,
# and its file `trial` is run by bash as a unit; the last line that it prints has to be "trial passed".
boot_trial() {
    local directory=$1 seconds=$2
    shift 2
    cat >"$directory/trial.service" <<UNIT
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /run/trial/trial
StandardOutput=file:/run/trial/output
StandardError=inherit
TimeoutStartSec=$seconds
ExecStopPost=/bin/systemctl poweroff --no-block
UNIT
    timeout $((seconds + 30)) systemd-nspawn --quiet "$@" --boot --register=no --keep-unit --bind="$directory:/run/trial" \
        --bind-ro="$directory/trial.service:/etc/systemd/system/trial.service" \
        systemd.wants=trial.service >"$directory/console" 2>&1 || true
    cat "$directory/output" 2>/dev/null || tail -n 40 "$directory/console"
    [ "$(tail -n 1 "$directory/output" 2>/dev/null)" = 'trial passed' ] ||
        fail "the trial did not pass; what it said is above"
}
