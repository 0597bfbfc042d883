#!/usr/bin/env bash
# Sets blinkd up in this checkout and runs it. `./install.sh help` tells the verbs.
#
# What it changes: Debian packages that are missing (the only step that needs root), and the folders .venv and .cache
# beside this file. Run again it skips what is done; interrupted, it begins the unfinished part anew.
set -Eeuo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
readonly ROOT
readonly VENV=$ROOT/.venv
readonly STATE=$VENV/blinkd-install.state # says that this script made the environment, and what is finished in it
readonly LOCK_FILE=$ROOT/requirements.lock
readonly LOG=$ROOT/.cache/install.log

# Sections of requirements.lock in the order in which they were resolved: a package stands in the first that needs it.
readonly ALL_SECTIONS=(backend terminal demo pi relay build dev lock)
readonly DEMO_SECTIONS=(backend terminal demo)
readonly TEST_SECTIONS=(backend terminal demo relay build dev)

readonly DEMO_PACKAGES=(ca-certificates)
# MediaPipe, the tests' reference, links against libegl1 and libgles2 at import; the tests start a broker and a database of their own, and put clocks wrong
readonly TEST_PACKAGES=(ca-certificates haproxy libegl1 libfaketime libgles2 mosquitto postgresql)

PYTHON=''    # the interpreter that the environment is made from, found by find_python
ARGUMENTS=() # verb and arguments as given

usage() {
    cat <<'TEXT'
usage: ./install.sh VERB [ARGUMENTS]

  demo [ARGUMENTS]   set up what is missing, then run `blinkd demo ARGUMENTS`
  test [ARGUMENTS]   set up the development tools too, then run `pytest ARGUMENTS` in the checkout
  setup [SECTION…]   set up as `test` does (or only the named sections of requirements.lock) and run nothing
  lock [ARGUMENTS]   write requirements.lock anew from pyproject.toml; keeps what still fits (`lock --upgrade` does not)
  help               print this

Everything goes into .venv and .cache beside install.sh; root is needed only where Debian packages are missing.
TEXT
}

# --- saying what happens -------------------------------------------------------------------------------------------

# Progress goes to standard error, so that `demo --json` prints nothing but JSON.
say() {
    printf 'install.sh: %s\n' "$*" >&2
}

fail() { # what, remedy
    say "FAILED: $1"
    say "remedy: $2"
    exit 1
}

# Runs one step with its output in the log: a line while it works, the end of the log and a remedy if it fails.
step() { # what, remedy, command…
    local what=$1 remedy=$2 began=$SECONDS
    shift 2
    printf 'install.sh: %s ... ' "$what" >&2
    printf '\n== %s: %s\n' "$(date -u +%FT%TZ)" "$what" >>"$LOG"
    if ! "$@" </dev/null >>"$LOG" 2>&1; then
        printf 'failed\n' >&2
        tail -n 15 -- "$LOG" | sed 's/^/    /' >&2
        say "all of it is in $LOG"
        fail "$what" "$remedy"
    fi
    printf '%d s\n' $((SECONDS - began)) >&2
}

unexpected() { # line, command
    say "FAILED: line $1 of install.sh: $2"
    say "remedy: run it again; if it stays, report the line above with the end of $LOG"
    exit 1
}

# --- the machine ---------------------------------------------------------------------------------------------------

os_release() { # key
    sed -n "s/^$1=//p" "${OS_RELEASE_FILE:-/etc/os-release}" 2>/dev/null | tr -d "\"'" | head -n 1
}

check_platform() {
    local supported='Debian 12 or 13, Raspberry Pi OS (64-bit) bookworm or trixie, Ubuntu 22.04 or newer, on x86-64 or arm64'
    local id version name architecture
    id=$(os_release ID)
    version=$(os_release VERSION_ID)
    name=$(os_release PRETTY_NAME)
    name=${name:-$(uname -s)}
    if [[ ! $(command -v apt-get) || ! $(command -v dpkg) ]]; then
        fail "$name is not supported: it has no apt-get" "use $supported"
    fi
    architecture=$(dpkg --print-architecture)
    case $architecture in
        amd64 | arm64) ;;
        # A Pi may run a 64-bit kernel below a 32-bit system; what counts is what the system's own programs are.
        *) fail "$name for $architecture is not supported: the networks' runtimes exist for 64-bit systems only" "use $supported" ;;
    esac
    case $id:${version%%.*} in
        debian:12 | debian:13) ;;
        ubuntu:*)
            if dpkg --compare-versions "${version:-0}" lt 22.04; then
                fail "$name is not supported: too old" "use $supported"
            fi
            ;;
        debian: | debian:1[4-9]) say "$name is not among the systems that blinkd is tried on; going on" ;; # testing, unstable
        *) fail "$name is not supported" "use $supported" ;;
    esac
}

# --- Debian packages -----------------------------------------------------------------------------------------------

as_root() {
    local variables=(DEBIAN_FRONTEND=noninteractive RUNLEVEL=1) name # the second: what is installed starts no service
    for name in http_proxy https_proxy no_proxy; do # sudo drops them, apt needs them
        if [[ -n ${!name:-} ]]; then variables+=("$name=${!name}"); fi
    done
    if ((EUID == 0)); then
        env "${variables[@]}" "$@"
    else
        sudo env "${variables[@]}" "$@"
    fi
}

need_root_for() { # packages…
    if ((EUID == 0)); then return; fi
    local command="apt-get install --no-install-recommends $*"
    if [[ ! $(command -v sudo) ]]; then
        fail "Debian packages are missing ($*), and there is no sudo to install them" "as root: $command; then run this again"
    fi
    if sudo -n true 2>/dev/null; then return; fi
    if [[ ! -t 0 ]]; then
        fail "Debian packages are missing ($*), and there is no terminal on which sudo could ask for a password" \
            "sudo $command; then run this again"
    fi
    say "sudo may ask for your password: root is needed to install $*, and for nothing else"
    sudo -v || fail 'sudo refused' "let an administrator run: $command; then run this again"
}

apt_install() { # packages…
    need_root_for "$@"
    local network='check the network and /etc/apt/sources.list*, then run this again'
    step 'Debian packages: reading the lists' "$network" as_root apt-get -q update
    step "Debian packages: installing $*" "$network" \
        as_root apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 install "$@"
}

apt_need() { # packages…
    local package missing=()
    for package in "$@"; do
        if [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) != installed ]]; then missing+=("$package"); fi
    done
    if ((${#missing[@]})); then apt_install "${missing[@]}"; fi
}

# --- Python --------------------------------------------------------------------------------------------------------

# A candidate is tried by running it: a pyenv shim may be on PATH and stand for nothing, and a Python compiled at home
# may lack modules that blinkd needs.
python_works() { # program, modules
    "$1" -I -c "import sys, $2; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))" </dev/null >/dev/null 2>&1
}

search_python() { # modules
    local name candidate
    for name in python3.13 python3.12 python3.11 python3; do
        while IFS= read -r candidate; do
            if python_works "$candidate" "$1"; then
                PYTHON=$candidate
                return 0
            fi
        done < <(type -ap "$name" || true)
    done
    return 1
}

readonly MODULES='ssl, sqlite3, ctypes, zlib, bz2, lzma' # of the standard library; Debian cuts ensurepip off into a package

find_python() {
    search_python "$MODULES, venv, ensurepip" ||
        fail 'no Python 3.11, 3.12 or 3.13 with its standard library' \
            "install one with venv (apt-get install python3.13 python3.13-venv, or 3.12, 3.11), then run this again"
}

python_packages() { # prints the Debian packages that make find_python succeed; nothing if it does already
    if search_python "$MODULES, venv, ensurepip"; then return; fi
    if search_python "$MODULES" && [[ $PYTHON == /usr/bin/* || $PYTHON == /bin/* ]]; then
        "$PYTHON" -I -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
    elif [[ $(os_release ID):$(os_release VERSION_ID) == ubuntu:22.04 ]]; then
        printf 'python3.11\npython3.11-venv\n' # its own is 3.10; universe has 3.11 (JetPack 6 too)
    else
        printf 'python3\npython3-venv\n'
    fi
}

# --- the virtual environment ---------------------------------------------------------------------------------------

# What the environment depends on as a whole; another lock file, another Python or another place (paths are written into
# its programs) means making it anew.
environment_key() {
    {
        "$VENV/bin/python" -I -c 'import sys; print(sys.implementation.cache_tag, sys.platform)'
        printf '%s\n' "$VENV"
        cat -- "$LOCK_FILE"
    } | sha256sum | cut -c -16
}

environment_fits() {
    [[ -f $STATE ]] && python_works "$VENV/bin/python" ssl && [[ $(<"$STATE") == "$(environment_key) "* ]]
}

write_state() { # text
    printf '%s\n' "$1" >"$STATE.new"
    mv -- "$STATE.new" "$STATE"
}

lock_sections() { # sections…
    awk -v wanted=" $* " '/^#: / { printing = index(wanted, " " $2 " ") } printing' "$LOCK_FILE"
}

pip() { # arguments…; the machine's own pip configuration (mirrors, proxies, certificates) holds
    "$VENV/bin/python" -I -m pip --disable-pip-version-check --no-input "$@"
}

install_sections() { # sections…
    local requirements=$ROOT/.cache/requirements.txt
    lock_sections "$@" >"$requirements"
    pip install --no-user --require-hashes --no-deps --only-binary :all: -r "$requirements"
}

install_project() {
    pip install --no-user --no-deps --no-build-isolation --editable "$ROOT"
}

make_environment() {
    rm -rf -- "$VENV"
    mkdir -p -- "$VENV"
    write_state unfinished
    "$PYTHON" -I -m venv "$VENV"
}

# Brings .venv to hold the given sections and blinkd itself. The state file is "unfinished" while anything is under way,
# so that an interrupted run is noticed and never trusted.
ensure_environment() { # sections…
    local state wanted missing=() section
    if environment_fits; then
        state=$(<"$STATE")
    else
        if [[ ! -f $STATE ]] && [[ -e $VENV || -L $VENV ]]; then
            fail "$VENV exists and was not made by install.sh" 'move it away, then run this again'
        fi
        [[ -n $PYTHON ]] || find_python
        step "virtual environment .venv with $PYTHON" "look at the lines above; $ROOT must be writable and not full" make_environment
        state="$(environment_key) "
    fi
    for section in "$@"; do
        if [[ " $state ${missing[*]} " != *" $section "* ]]; then missing+=("$section"); fi
    done
    wanted=project-$(sha256sum <"$ROOT/pyproject.toml" | cut -c -16)
    if ((${#missing[@]})); then
        write_state unfinished
        step "Python packages (hash-checked): ${missing[*]}" 'check the network, the space on the disk and that requirements.lock is as git has it; then run this again' \
            install_sections "${missing[@]}"
        state="$state ${missing[*]}"
        write_state "$state"
    fi
    if [[ " $state " != *" $wanted "* ]]; then
        step 'blinkd itself' 'look at the lines above' install_project
        write_state "$state $wanted"
    fi
}

# --- putting it together -------------------------------------------------------------------------------------------

# `sudo ./install.sh` in a user's checkout: only the Debian packages are root's business, so the rest goes on as the user
# and nothing of root's is left in the checkout.
leave_root() { # verb and arguments
    local owner home
    owner=$(stat -c %U -- "$ROOT")
    if ((EUID != 0)) || [[ -z ${SUDO_USER:-} || $SUDO_USER == root || $owner != "$SUDO_USER" ]]; then return; fi
    home=$(getent passwd "$owner" | cut -d : -f 6)
    say "the checkout is $owner's: going on as $owner"
    exec runuser -u "$owner" -- env -u SUDO_USER "HOME=$home" "USER=$owner" "LOGNAME=$owner" "$ROOT/install.sh" "$@"
}

begin() {
    if ! mkdir -p -- "$ROOT/.cache" || ! : >>"$LOG"; then
        fail "cannot write in $ROOT" "make it yours (chown -R $(id -un) '$ROOT') or clone where you may write"
    fi
    # As `sudo ./install.sh` the folder is made by root, but used by the owner of the checkout
    if ((EUID == 0)); then chown --reference="$ROOT" -- "$ROOT/.cache" "$LOG"; fi
    check_platform
}

prepare() { # Debian packages… -- sections…
    local packages=()
    while [[ $1 != -- ]]; do
        packages+=("$1")
        shift
    done
    shift
    begin
    if ! environment_fits; then mapfile -t -O "${#packages[@]}" packages < <(python_packages); fi
    apt_need "${packages[@]}"
    environment_fits || find_python
    leave_root "${ARGUMENTS[@]}"
    # One at a time; the lock is let go before the program itself runs
    exec 9>>"$ROOT/.cache/install.lock"
    flock -n 9 || {
        say 'another install.sh works in this checkout; waiting for it'
        flock 9
    }
    ensure_environment "$@"
    exec 9>&-
}

verb_demo() {
    prepare "${DEMO_PACKAGES[@]}" -- "${DEMO_SECTIONS[@]}"
    exec "$VENV/bin/blinkd" demo "$@"
}

verb_test() {
    prepare "${TEST_PACKAGES[@]}" -- "${TEST_SECTIONS[@]}"
    cd -- "$ROOT"
    exec "$VENV/bin/python" -m pytest "$@"
}

verb_setup() {
    local section packages=("${DEMO_PACKAGES[@]}")
    if (($# == 0)); then set -- "${TEST_SECTIONS[@]}"; fi
    for section in "$@"; do
        if [[ " ${ALL_SECTIONS[*]} " != *" $section "* ]]; then
            say "no section '$section' in requirements.lock; there are: ${ALL_SECTIONS[*]}"
            exit 2
        fi
    done
    if [[ " $* " == *' dev '* ]]; then packages=("${TEST_PACKAGES[@]}"); fi
    prepare "${packages[@]}" -- backend "$@"
}

# Resolves for every supported machine at once. Each section is what its packages need beyond the sections before it.
resolve() { # output, arguments…
    local output=$1
    shift
    "$VENV/bin/uv" pip compile --quiet --universal --generate-hashes --only-binary :all: --python-version 3.11 \
        --no-emit-index-url --no-header --no-annotate --output-file "$output" "$@"
}

source_of() { # section
    case $1 in
        terminal) printf 'pyproject.toml' ;;
        backend | lock) printf -- '--group=%s' "$1" ;;
        *) printf -- '--extra=%s' "$1" ;;
    esac
}

write_lock() { # arguments of uv…
    local work section part source=() all=()
    for section in "${ALL_SECTIONS[@]}"; do all+=("$(source_of "$section")"); done
    work=$(mktemp -d -- "$ROOT/.cache/lock.XXXXXX")
    cd -- "$ROOT"
    if [[ -f $LOCK_FILE ]]; then cp -- "$LOCK_FILE" "$work/all"; fi # what still fits is kept
    resolve "$work/all" "${all[@]}" "$@"
    {
        printf '# Written by "./install.sh lock" from pyproject.toml: every package with its hashes, for Python 3.11 to 3.13 on\n'
        printf '# x86-64 and arm64 Linux. A section begins at "#:"; it holds what it needs beyond the sections above it.\n'
        for section in "${ALL_SECTIONS[@]}"; do
            source+=("$(source_of "$section")")
            part=$work/$section
            resolve "$part" --constraints "$work/all" "${source[@]}"
            printf '\n#: %s\n' "$section"
            awk -F '[= ]' -v seen="$work/seen" '
                BEGIN { while ((getline name < seen) > 0) known[name] = 1 }
                /^[A-Za-z0-9]/ { new = !($1 in known); if (new) print $1 >> seen }
                new' "$part"
        done
    } >"$work/requirements.lock"
    mv -- "$work/requirements.lock" "$LOCK_FILE"
    rm -rf -- "$work"
}

verb_lock() {
    prepare "${DEMO_PACKAGES[@]}" -- backend lock
    step 'requirements.lock' 'look at the lines above: no versions fit pyproject.toml on every supported machine' write_lock "$@"
}

main() {
    trap 'unexpected "$LINENO" "$BASH_COMMAND"' ERR
    unset PYTHONHOME PYTHONPATH # of another Python (ROS sets one); what is in .venv counts
    ARGUMENTS=("$@")
    local verb=${1:-}
    if (($#)); then shift; fi
    case $verb in
        demo | test | setup | lock) "verb_$verb" "$@" ;;
        help | -h | --help) usage ;;
        '')
            usage >&2
            exit 2
            ;;
        *)
            say "unknown verb '$verb'"
            usage >&2
            exit 2
            ;;
    esac
}

main "$@"
