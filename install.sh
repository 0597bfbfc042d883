#!/usr/bin/env bash
# Sets blinkd up: in this checkout, to try and to develop it, or on this machine, for good. `./install.sh help` tells the verbs.
#
# In the checkout it changes Debian packages that are missing (the only step that needs root), and the folders .venv and
# .cache beside this file. An installation lies in /opt/blinkd, with one folder a release; the section "an installation"
# below says what else belongs to it. Run again it skips what is done; interrupted, it begins the unfinished part anew.
set -Eeuo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
readonly ROOT
readonly SELF=$ROOT/install.sh
readonly VENV=$ROOT/.venv
readonly STATE=$VENV/blinkd-install.state # says that this script made the environment, and what is finished in it
readonly LOCK_FILE=$ROOT/requirements.lock
LOG=$ROOT/.cache/install.log # of an installation: below /opt/blinkd

# Sections of requirements.lock in the order in which they were resolved: a package stands in the first that needs it.
readonly ALL_SECTIONS=(backend terminal relay web demo pi build dev lock)
readonly DEMO_SECTIONS=(backend terminal relay web demo)
readonly TEST_SECTIONS=(backend terminal relay web demo build dev)
readonly RELEASE_SECTIONS=(backend terminal relay web) # a release serves terminals and relays

readonly DEMO_PACKAGES=(ca-certificates)
# MediaPipe, the tests' reference, links against libegl1 and libgles2 at import, and what drives the browser against libatomic1; the tests look at pages
# in Chromium, start a broker and a database of their own, put clocks wrong, and let systemd-analyze judge the units
readonly TEST_PACKAGES=(ca-certificates chromium haproxy libatomic1 libegl1 libfaketime libgles2 mosquitto postgresql systemd)

# systemd runs the daemon, makes its user and keeps its key
readonly RELEASE_PACKAGES=(ca-certificates systemd)

PYTHON=''    # the interpreter that the environment is made from, found by find_python
ARGUMENTS=() # verb and arguments as given
PYTHON_NAMES=(python3.13 python3.12 python3.11 python3)
PYTHON_FOR_ALL=0 # 1: every user must be able to run it

usage() {
    cat <<'TEXT'
usage: ./install.sh VERB [ARGUMENTS]

  demo [ARGUMENTS]   set up what is missing, then run `blinkd demo ARGUMENTS`
  test [ARGUMENTS]   set up the development tools too, then run `pytest ARGUMENTS` in the checkout
  setup [SECTION…]   set up as `test` does (or only the named sections of requirements.lock) and run nothing
  lock [ARGUMENTS]   write requirements.lock anew from pyproject.toml; keeps what still fits (`lock --upgrade` does not)
  help               print this

These work in .venv and .cache beside install.sh; root is needed only where Debian packages are missing.

  install            make this machine a terminal (or a relay): release, user, settings, key, units; starts what is configured
  upgrade            put this checkout's release in force; goes back by itself if doctor or the daemon then fails
  rollback           put the release in force that was before
  check              what is installed, whether it is whole, and what doctor says; changes nothing
  uninstall          remove all of it but /etc/blinkd, /var/lib/blinkd and the key of what is stored there
  wheelhouse DIR     fetch what install and upgrade need of the package registry, for machines without a network;
                     --arch aarch64|x86_64 and --python 3.11|3.12|3.13 name a machine other than this one

  --bundle FILE      install, upgrade: hand FILE to `blinkd fleet install`, which may ask for a code or a password;
                     --password-fd N lets it read them from a file descriptor, as in --password-fd 3 3<code
  --config FILE      install, upgrade: take FILE as /etc/blinkd/blinkd.toml; one that is there is kept beside as blinkd.toml.old
  --standalone       install: this terminal belongs to no organisation, start it without a keyring
  --offline DIR      install, upgrade: take Python packages from DIR only (see wheelhouse); hashes are checked all the same
  --purge            uninstall: remove settings, everything recorded and the key too
  --dry-run          say what would change, change nothing
  --unattended       never ask

These need root and end with 0 (done), 1 (refused or failed) or 2 (wrong usage), like blinkd itself.
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
    for name in http_proxy https_proxy no_proxy; do                  # sudo drops them, apt needs them
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
    if ((DRY_RUN)); then
        say "would: install Debian packages: $*"
        return
    fi
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
    for name in "${PYTHON_NAMES[@]}"; do
        while IFS= read -r candidate; do
            if python_fits "$candidate" && python_works "$candidate" "$1"; then
                PYTHON=$candidate
                return 0
            fi
        done < <(type -ap "$name" || true)
    done
    return 1
}

# The daemon is another user, to whom a Python in somebody's home is closed
python_fits() { # program
    ((!PYTHON_FOR_ALL)) || [[ $(realpath -- "$1") != @(/root|/home)/* ]]
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
    # a worker for each core, each with whole files: what a file's tests share is made once
    exec "$VENV/bin/python" -m pytest --numprocesses=auto --dist=loadfile "$@"
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

# --- an installation: what belongs to it ---------------------------------------------------------------------------

# INSTALL_ROOT puts all of it below another folder, where root's rights are not needed. For the tests.
readonly R=${INSTALL_ROOT:-}
readonly OPT=$R/opt/blinkd
readonly RELEASES=$OPT/releases    # one folder each: a virtual environment with blinkd in it, never changed once it has its name
readonly CURRENT=$OPT/current      # link to the release in force
readonly PREVIOUS=$OPT/previous    # link to the one before, for `rollback`
readonly TRIAL=$OPT/trial          # which release is being put in force, from which, and what doctor found well before
readonly ASIDE=$OPT/records-before # the database in its old form, while a release is on trial that gives it a new one
readonly COMMAND=$R/usr/local/bin/blinkd
readonly ETC=$R/etc/blinkd
readonly CONFIG=$ETC/blinkd.toml
readonly STANDALONE=$ETC/standalone # its being there is the choice to work without an organisation
readonly RECORDS=$R/var/lib/blinkd
if [[ -z $R ]]; then ACCOUNT=blinkd GROUP=blinkd; else ACCOUNT=$(id -un) GROUP=$(id -gn); fi
readonly ACCOUNT GROUP
readonly DISPLAY_ACCOUNT=blinkd-kiosk
readonly RELAY_ACCOUNT=blinkd-relay RELAY_RECORDS=$R/var/lib/blinkd-relay
# Where the administrator's own units lie apart from the distribution's; changes by hand go to /etc/systemd, which wins
readonly UNITS=$R/usr/local/lib/systemd/system
readonly SYSUSERS=$R/usr/local/lib/sysusers.d
readonly TMPFILES=$R/usr/local/lib/tmpfiles.d
readonly DAEMON=blinkd.service UPKEEP=blinkd-upkeep.timer RENEW=blinkd-renew.timer RELAY=blinkd-relay.service
readonly BACKUPS=$R/var/backups/blinkd # where the unit of back-ups may write without being told more
# The key of the stored templates, which blinkd/crypto/at_rest.py asks systemd for under this name
readonly KEY_CREDENTIAL=blinkd-template-key
readonly KEY_SEALED=$R/etc/credstore.encrypted/blinkd.template-key
readonly KEY_FILE=$RECORDS/template.key # where there is no such credential
readonly KEY_BYTES=32

readonly RELEASE_MB=1000 # free space that a new release needs: 600 MB of packages, and the wheels of which they come
readonly RECORDS_MB=100  # and what a terminal needs to begin to record
readonly READY_S=120     # for a unit to become ready; above its own limit of 90 s

DRY_RUN=0 UNATTENDED=0 PURGE=0 CHOSE_STANDALONE=0
BUNDLE='' PASSWORD_FD='' GIVEN_CONFIG='' WHEELHOUSE='' ARCH='' PYTHON_VERSION=''
NEW_SETTINGS=0 # 1: settings or keyring are not those with which the daemon was started
WHY=''         # why the gate is shut, set by passes_gate

# One change: said and made, or only said. The command must end at its first failure by itself: bash's -e does not hold in it.
change() { # what, remedy, command…
    if ((DRY_RUN)); then
        say "would: $1"
    else
        step "$@"
    fi
}

systemd_runs() { [[ -d $R/run/systemd/system ]]; }

in_force() { # prints the release that the link names; nothing where none is
    local target
    target=$(readlink -- "$CURRENT" 2>/dev/null) && [[ -d $OPT/$target ]] && printf '%s' "${target#releases/}"
}

before() { # prints the release for `rollback`
    local target
    target=$(readlink -- "$PREVIOUS" 2>/dev/null) && [[ -d $OPT/$target ]] && printf '%s' "${target#releases/}"
}

trial() { # 1: which release, 2: from which, 3: what doctor found well; prints nothing where no trial is under way
    if [[ -f $TRIAL ]]; then sed -n "${1}p" -- "$TRIAL"; fi
}

# The release that has proved itself last: the one in force, or what a trial that was cut off came from
proven() { if [[ -f $TRIAL ]]; then trial 2; else in_force || true; fi; }

configured() { # or would be, after this dry run
    [[ -f $RECORDS/keyring.sealed || -f $STANDALONE ]] || ((DRY_RUN && (CHOSE_STANDALONE || ${#BUNDLE})))
}

whole_link() { # target, link; never absent in between
    rm -f -- "$2.new" && ln -s -- "$1" "$2.new" && mv -T -- "$2.new" "$2"
}

whole_file() { # source, target, mode; left alone where it is the same
    if cmp -s -- "$1" "$2"; then return; fi
    install -D -m "$3" -- "$1" "$2.new" && sync -- "$2.new" && mv -T -- "$2.new" "$2"
}

# --- an installation: before anything is changed -------------------------------------------------------------------

on_a_pi() { [[ -e $R/etc/rpi-issue ]]; } # Raspberry Pi OS, which alone has libcamera's Python for its cameras

machine_name() {
    local name
    name=$(os_release PRETTY_NAME)
    if on_a_pi; then
        printf 'Raspberry Pi OS %s' "$(os_release VERSION_CODENAME)"
    elif [[ -e $R/etc/nv_tegra_release ]]; then
        printf 'JetPack on %s' "$name"
    else
        printf '%s' "$name"
    fi
}

check_checkout() {
    local part
    for part in blinkd models config pyproject.toml requirements.lock "systemd/$DAEMON" systemd/sysusers.d/blinkd.conf; do
        [[ -e $ROOT/$part ]] || fail "$ROOT/$part is missing" 'run install.sh of a whole checkout or release archive'
    done
}

check_machine() {
    ((EUID == 0)) || [[ -n $R ]] || fail 'this needs root' "sudo $SELF ${ARGUMENTS[*]}"
    check_platform
}

check_given_files() {
    local file
    for file in "$BUNDLE" "$GIVEN_CONFIG"; do
        [[ -z $file || (-f $file && -r $file) ]] || fail "$file: no file that can be read" 'check the path, its owner and its mode'
    done
    if [[ -n $BUNDLE ]]; then BUNDLE=$(realpath -- "$BUNDLE"); fi
    if [[ -n $GIVEN_CONFIG ]]; then GIVEN_CONFIG=$(realpath -- "$GIVEN_CONFIG"); fi
    if [[ -n $WHEELHOUSE ]]; then
        [[ -n $(find "$WHEELHOUSE" -maxdepth 1 -name '*.whl' -print -quit 2>/dev/null) ]] ||
            fail "$WHEELHOUSE: no folder with wheels" "fill it where there is a network: ./install.sh wheelhouse DIR; then carry it here"
        WHEELHOUSE=$(cd -- "$WHEELHOUSE" && pwd -P)
    fi
}

# A folder in which somebody else may write would let them say what root and the daemon run
check_owners() {
    local path owner mode
    for path in "$OPT" "$RELEASES" "$ETC" "$CONFIG"; do
        [[ -e $path ]] || continue
        read -r owner mode < <(stat -L -c '%u %a' -- "$path")
        ((owner == EUID)) || fail "$path belongs to user $owner" "look at what it holds; if it is yours: chown root: $path"
        (((8#$mode & 8#022) == 0)) || fail "$path can be written by others (mode $mode)" "chmod go-w $path"
    done
    if [[ -d $RECORDS && -n $(find "$RECORDS" -path "$RECORDS/lost+found" -prune -o ! -user "$ACCOUNT" -print -quit 2>/dev/null || echo unknown) ]]; then
        fail "$RECORDS holds files that do not belong to $ACCOUNT, so the daemon could not work with them" \
            "chown -R $ACCOUNT:$ACCOUNT $RECORDS (if there is no such user yet: move the folder away, install, move its content back)"
    fi
}

free_mb() { # path, or what of it exists
    local path=$1
    while [[ ! -e $path ]]; do path=$(dirname -- "$path"); done
    df -Pm -- "$path" | awk 'NR == 2 { print $4 }'
}

need_space() { # path, megabytes
    local free
    free=$(free_mb "$1")
    ((free >= $2)) || fail "$1: $free MB free, $2 are needed" 'free some space (apt-get clean; old logs: journalctl --vacuum-size=50M), then run this again'
}

# Everything that can be refused is refused here
preflight() {
    check_machine
    check_checkout
    check_given_files
    check_owners
    if [[ -e $COMMAND && $(readlink -- "$COMMAND") != "$CURRENT/bin/blinkd" ]]; then
        fail "$COMMAND is there and was not made by install.sh" 'move it away (pip uninstall blinkd, if pip put it there), then run this again'
    fi
    if [[ -s $KEY_SEALED ]] && ! opened_key >/dev/null; then
        fail "$KEY_SEALED does not open: it was sealed on another machine or system" \
            "put back the key, or /var/lib/systemd/credential.secret of where it was made; if nobody is enrolled, remove the file"
    fi
    need_space "$RECORDS" "$RECORDS_MB"
    PYTHON_NAMES=(python3 python3.13 python3.12 python3.11) # the system's own first: only for it are the system's libraries built
    PYTHON_FOR_ALL=1
    if ! search_python "$MODULES, venv, ensurepip"; then PYTHON=''; fi
    if [[ -z $PYTHON || ! -d $RELEASES/$(release_name) ]]; then need_space "$OPT" "$RELEASE_MB"; fi
    say "$(machine_name), $(dpkg --print-architecture), ${PYTHON:-no Python yet}"
    if [[ -e $R/etc/nv_tegra_release ]]; then
        say 'JetPack: a USB camera works; the ribbon cable (camera.driver = "gstreamer") needs an OpenCV with GStreamer, which this release has not'
    fi
}

begin_installation() {
    umask 022
    cd /
    # Settings of whoever calls: the daemon will have none of them
    unset "${!BLINKD_@}"
    if ((DRY_RUN)); then
        LOG=/dev/null
        return
    fi
    alone_on_machine
    mkdir -p -- "$RELEASES"
    LOG=$OPT/install.log
    : >>"$LOG"
}

alone_on_machine() {
    mkdir -p -- "$R/run/lock"
    exec 9>>"$R/run/lock/blinkd-install.lock"
    flock -n 9 || fail 'another install.sh is at work on this machine' 'wait until it has ended; if it was killed, what it started may still run'
    rm -rf -- "$R"/run/blinkd-install.* # what a run that was killed left there, keys among it
}

# --- an installation: a release ------------------------------------------------------------------------------------

# What a release is made from, without what tools leave behind
release_sources() {
    cd -- "$ROOT"
    find blinkd models config systemd install.sh pyproject.toml requirements.lock -type f ! -path '*/__pycache__/*' ! -name '*.ort' \
        ! -path models/sface.onnx -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
}

# Version and a hash of all that the release depends on: two builds that differ have two names, the same one is made once
release_name() {
    local version
    version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$ROOT/blinkd/__init__.py")
    printf '%s-%s' "$version" "$({
        release_sources
        "$PYTHON" -I -c 'import sys, sysconfig; print(sys.implementation.cache_tag, sysconfig.get_platform())'
        realpath -- "$PYTHON"
        if on_a_pi; then echo 'with picamera2'; fi
    } | sha256sum | cut -c -12)"
}

release_python() { # release, arguments…
    local python=$1/bin/python
    shift
    "$python" -I "$@"
}

release_pip() { # folder, arguments…; what it unpacks lies in the folder too, for /tmp may be small
    local folder=$1
    shift
    TMPDIR=$folder release_python "$folder" -m pip --disable-pip-version-check --no-input "$@"
}

is_whole() { # release
    [[ -f $1/SHA256SUMS ]] && release_python "$1" -c 'import ssl' 2>/dev/null && (cd -- "$1" && sha256sum --quiet --strict -c SHA256SUMS) >/dev/null 2>&1
}

release_environment() { # folder
    rm -rf -- "$1" && mkdir -p -- "$1" && "$PYTHON" -I -m venv "$1"
}

release_packages() { # folder
    local sections=("${RELEASE_SECTIONS[@]}") wheels=(--cache-dir "$OPT/cache")
    # On Raspberry Pi OS picamera2 comes from the system, but what it needs of numpy's binary form must fit the release's numpy
    if on_a_pi; then sections+=(pi); fi
    if [[ -n $WHEELHOUSE ]]; then wheels=(--no-index --find-links "$WHEELHOUSE" --no-cache-dir); fi
    lock_sections "${sections[@]}" >"$1/requirements.txt" &&
        release_pip "$1" install --require-hashes --no-deps --only-binary :all: --no-compile "${wheels[@]}" -r "$1/requirements.txt"
}

release_blinkd() { # folder
    release_pip "$1" install --no-index --no-deps --no-build-isolation --no-compile --no-cache-dir "$ROOT" &&
        cp -RT -- "$ROOT/systemd" "$1/share/blinkd/systemd" &&
        cp -- "$ROOT/install.sh" "$ROOT/requirements.lock" "$1/share/blinkd/" &&
        borrow_from_debian "$1" &&
        # nothing is added to a release any more
        release_pip "$1" uninstall -y pip setuptools
}

# What is built against the system's own libraries. Only for the system's own Python, for which it was built.
borrow_from_debian() { # folder
    local debian=$R/usr/lib/python3/dist-packages site
    site=$(release_python "$1" -c 'import sysconfig; print(sysconfig.get_path("purelib"))') || return
    if [[ $(realpath -- "$PYTHON") != "$(realpath -- "$R/usr/bin/python3" 2>/dev/null)" ]]; then return; fi
    if on_a_pi; then
        # picamera2 and libcamera need many packages of Debian's. The folder comes last on the path, so that numpy, OpenCV and all
        # else of which the release has its own is the release's; and it is Debian's only, not what pip put beside it.
        printf '%s\n' "$debian" >"$site/debian.pth"
    elif [[ -d $debian/systemd ]]; then
        ln -s -- "$debian/systemd" "$site/systemd" # python3-systemd: fields in the journal
    fi
}

# Made under another name, for an interrupted run must not leave what looks whole. Paths within are those of the final name.
release_finish() { # folder, release
    grep -rlIZ -- "$1" "$1/bin" "$1/pyvenv.cfg" | xargs -0r sed -i "s|$1|$2|g" &&
        { release_python "$1" -m compileall -q -q -s "$1" -p "$2" "$1/lib" || true; } && # some packages hold files of other Pythons
        (cd -- "$1" && find . -type f ! -name '*.listing' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) >"$1/SHA256SUMS.listing" &&
        mv -- "$1/SHA256SUMS.listing" "$1/SHA256SUMS" &&
        sync -f -- "$1" &&
        if [[ -e $2 ]]; then rm -rf -- "$2.removing" && mv -T -- "$2" "$2.removing"; fi &&
        mv -T -- "$1" "$2" && sync -f -- "$2" && rm -rf -- "$2.removing" "$OPT/cache"
}

make_release() { # release
    local release=$1 partial=$1.partial name=${1##*/}
    if is_whole "$release"; then
        say "release $name is there, and whole"
        return
    fi
    change "release $name: virtual environment with $PYTHON" 'look at the lines above' release_environment "$partial"
    change 'Python packages (hash-checked)' 'check the network (or the folder of --offline), the space on the disk and that requirements.lock is as git has it; then run this again' \
        release_packages "$partial"
    change 'blinkd itself' 'look at the lines above' release_blinkd "$partial"
    change "release $name: list of hashes" 'check the space on the disk, then run this again' release_finish "$partial" "$release"
}

# --- an installation: settings, user, key --------------------------------------------------------------------------

# Called by root, it does what touches the records as the daemon's user and with its key (blinkd/cli/becoming.py)
blinkd_of() { # release, arguments…
    local program=$1/bin/blinkd
    shift
    env ${R:+"BLINKD_STATE_DIR=$RECORDS"} "$program" --config "$CONFIG" "$@"
}

settings_fit() { # release, file; prints what is wrong
    release_python "$1" - "$2" <<'PYTHON'
import sys
from pathlib import Path
from blinkd.errors import BlinkdError
from blinkd.settings_file import load_settings
try:
    load_settings(Path(sys.argv[1]))
except BlinkdError as error:
    sys.exit(str(error))
PYTHON
}

check_settings() { # release
    local file=${GIVEN_CONFIG:-$CONFIG} said
    if [[ ! -e $file ]]; then return; fi
    if [[ ! -d $1 ]]; then # in a dry run of a new release
        say "would: check $file with the new release"
        return
    fi
    if ! said=$(settings_fit "$1" "$file" 2>&1); then
        printf '%s\n' "$said" | sed 's/^/    /' >&2
        fail "release ${1##*/} refuses the settings in $file" 'mend these lines; if the file is of a newer blinkd, install that version. Nothing was changed'
    fi
}

account_stands() {
    cmp -s -- "$ROOT/systemd/sysusers.d/blinkd.conf" "$SYSUSERS/blinkd.conf" && [[ $(getent passwd "$ACCOUNT") && -d $ETC ]] &&
        in_its_groups "$SYSUSERS/blinkd.conf" &&
        [[ $(stat -c '%U %a' -- "$RECORDS" 2>/dev/null) == "$ACCOUNT 700" ]]
}

make_account_and_folders() {
    whole_file "$ROOT/systemd/sysusers.d/blinkd.conf" "$SYSUSERS/blinkd.conf" 644 &&
        if [[ -z $R ]]; then systemd-sysusers "$SYSUSERS/blinkd.conf"; fi &&
        install -d -m 755 -- "$ETC" && install -d -m 700 -o "$ACCOUNT" -g "$GROUP" -- "$RECORDS"
}

put_config() { # source; passwords of cameras may be in it, so others don't read it
    install -m 640 -- "$1" "$CONFIG.new" && chgrp "$GROUP" -- "$CONFIG.new" &&
        if [[ -e $CONFIG ]]; then cp -p -- "$CONFIG" "$CONFIG.old"; fi &&
        sync -- "$CONFIG.new" && mv -T -- "$CONFIG.new" "$CONFIG"
}

place_config() {
    if [[ -n $GIVEN_CONFIG ]]; then
        if ! cmp -s -- "$GIVEN_CONFIG" "$CONFIG"; then
            change "settings: $CONFIG from $GIVEN_CONFIG" 'look at the lines above' put_config "$GIVEN_CONFIG"
            NEW_SETTINGS=1
        fi
    elif [[ ! -e $CONFIG ]]; then
        change "settings: $CONFIG, all at their defaults" 'look at the lines above' put_config "$ROOT/config/blinkd.toml"
    fi
    if ((CHOSE_STANDALONE)) && [[ ! -e $STANDALONE ]]; then
        change "settings: this terminal belongs to no organisation ($STANDALONE)" 'look at the lines above' touch -- "$STANDALONE"
    fi
}

# An existing key is never touched: what was sealed by it opens by no other. One in the state folder is taken over, and stays there.
make_key() {
    local folder status=0
    folder=$(mktemp -d -- "$R/run/blinkd-install.XXXXXX") || return # in memory, never on the disk
    seal_key "$folder" || status=$?
    rm -rf -- "$folder"
    return "$status"
}

seal_key() { # folder for what is secret
    (umask 077 && if [[ -f $KEY_FILE ]]; then cat -- "$KEY_FILE"; else head -c "$KEY_BYTES" /dev/urandom; fi >"$1/key") || return
    if (($(stat -c %s -- "$1/key") != KEY_BYTES)); then
        echo "$KEY_FILE is torn: put it back from the back-up"
        return 1
    fi
    if systemd-creds encrypt --with-key=auto --name="$KEY_CREDENTIAL" -- "$1/key" "$1/sealed"; then
        install -D -m 600 -- "$1/sealed" "$KEY_SEALED.new" && sync -- "$KEY_SEALED.new" && mv -T -- "$KEY_SEALED.new" "$KEY_SEALED"
    fi
}

place_key() {
    if [[ -s $KEY_SEALED ]]; then return; fi
    if [[ $(command -v systemd-creds) ]]; then
        change "key of the stored templates, as credential $KEY_CREDENTIAL" 'look at the lines above' make_key
    fi
    if [[ ! -s $KEY_SEALED ]] && ((!DRY_RUN)); then
        say "systemd-creds cannot seal a key here, so the key of the stored templates will be $KEY_FILE"
    elif [[ -f $KEY_FILE ]]; then
        say "the credential counts from now on; $KEY_FILE, of which it was made, is kept as the way back (check says more)"
    fi
}

opened_key() { systemd-creds decrypt --name="$KEY_CREDENTIAL" -- "$KEY_SEALED" - 2>/dev/null; } # prints the 32 bytes

# It may ask for a code or a password, so it has the terminal
take_bundle() { # release
    local words=(fleet install "$BUNDLE")
    if [[ -z $BUNDLE ]]; then return; fi
    NEW_SETTINGS=1
    if ((DRY_RUN)); then
        say "would: hand $BUNDLE to blinkd fleet install"
        return
    fi
    if [[ -n $PASSWORD_FD ]]; then words+=(--password-fd "$PASSWORD_FD"); fi
    say "bundle $BUNDLE:"
    blinkd_of "$1" "${words[@]}" >&2 || fail "the bundle $BUNDLE was refused" 'mend what the lines above say, then run this again'
}

# Once with each release, whose networks and runtimes may be others; and before it is in force, for the daemon chooses when it begins
measure_speed() { # release
    if [[ $RECORDS/embedder_speed.json -nt $1/SHA256SUMS ]]; then return; fi
    if ((DRY_RUN)); then
        say 'would: time the networks (blinkd models bench)'
    elif ! (step 'timing the networks (blinkd models bench)' "run it later: sudo blinkd models bench" \
        blinkd_of "$1" models bench); then
        say 'going on without: the networks are chosen by the processor until then'
    fi
}

# --- an installation: putting a release in force -------------------------------------------------------------------

install_units() { # release; those of other releases go
    local from=$1/share/blinkd/systemd file
    for file in "$from"/*.service "$from"/*.timer "$from"/*.socket "$from"/*.path "$from"/*.target; do
        if [[ -f $file ]]; then whole_file "$file" "$UNITS/${file##*/}" 644 || return; fi
    done
    for file in "$UNITS"/blinkd*; do
        if [[ -f $file && ! -f $from/${file##*/} ]]; then rm -f -- "$file" || return; fi
    done
    whole_file "$from/sysusers.d/blinkd.conf" "$SYSUSERS/blinkd.conf" 644 || return
    if [[ -f $from/tmpfiles.d/blinkd.conf ]]; then whole_file "$from/tmpfiles.d/blinkd.conf" "$TMPFILES/blinkd.conf" 644 || return; fi
    if systemd_runs; then
        systemctl daemon-reload || return
        if [[ -z $R && -f $TMPFILES/blinkd.conf ]]; then systemd-tmpfiles --create "$TMPFILES/blinkd.conf"; fi
    fi
}

changed_units() { # name of a release; prints its files that are not in their places
    local share=$RELEASES/$1/share/blinkd/systemd file
    for file in "$share"/*.*; do
        if [[ -f $file ]] && ! cmp -s -- "$file" "$UNITS/${file##*/}"; then printf '%s ' "${file##*/}"; fi
    done
    cmp -s -- "$share/sysusers.d/blinkd.conf" "$SYSUSERS/blinkd.conf" || printf 'sysusers.d/blinkd.conf '
    [[ ! -f $share/tmpfiles.d/blinkd.conf ]] || cmp -s -- "$share/tmpfiles.d/blinkd.conf" "$TMPFILES/blinkd.conf" || printf 'tmpfiles.d/blinkd.conf '
}

in_place() { # name of a release
    [[ $(readlink -- "$CURRENT") == "releases/$1" && $(readlink -- "$COMMAND") == "$CURRENT/bin/blinkd" && -z $(changed_units "$1") ]]
}

switch_to() { # name of a release
    install -d -m 755 -- "$(dirname -- "$COMMAND")" &&
        whole_link "releases/$1" "$CURRENT" &&
        whole_link "$CURRENT/bin/blinkd" "$COMMAND" &&
        install_units "$RELEASES/$1"
}

runs() { systemd_runs && { systemctl -q is-enabled "$1" || systemctl -q is-active "$1"; } 2>/dev/null; } # unit

# A release that failed may have used up the starts that its unit allows itself; the one before shall not suffer for it. A daemon without
# a camera waits for it for ever, but who installs does not.
start_anew() { # unit
    systemctl reset-failed "$1" || true
    timeout --foreground "$READY_S" systemctl restart "$1"
}

last_words() { # unit; of the program itself, not of systemd about it
    journalctl -q "_SYSTEMD_UNIT=$1" -n 3 -o cat 2>/dev/null | tr '\n' ' ' || true
}

working_units() { # prints them as checks that are passed
    local unit
    for unit in "$DAEMON" "$RELAY"; do
        if systemd_runs && systemctl -q is-active "$unit"; then printf '%s ' "$unit"; fi
    done
}

# Each check of doctor that a release passes, one a line; where doctor itself fails, none.
passed_checks() { # release
    local answer
    answer=$(blinkd_of "$1" doctor --json 2>>"$LOG") || true # 1 where a check fails
    printf '%s\n' "$answer" >>"$LOG"
    release_python "$1" -c '
import json, sys
try:
    checks = json.loads(sys.argv[1])["checks"]
except ValueError:
    sys.exit("doctor did not answer")
print(*sorted({check["name"] for check in checks if check["status"] != "fail"}))' "$answer" 2>>"$LOG" || true
}

# What worked before must work with the release in force: units become ready, and doctor finds well what it found well.
passes_gate() { # release, units and checks that were well before; sets WHY
    local unit check passed
    for unit in "$DAEMON" "$RELAY"; do
        if ! runs "$unit" || start_anew "$unit" >>"$LOG" 2>&1; then continue; fi
        WHY="$unit does not become ready; the last it said: $(last_words "$unit")"
        if [[ " $2 " == *" $unit "* ]]; then return 1; fi
        say "as before, $WHY"
    done
    passed=" $(working_units) $(passed_checks "$1") "
    for check in $2; do
        # A daemon that became ready has the camera, and doctor may not
        if [[ $passed == *" $check "* || ($check == camera && $passed == *" $DAEMON "*) ]]; then continue; fi
        case $check in
            *.service) WHY="$check ended again; the last it said: $(last_words "$check")" ;;
            *) WHY="doctor finds a fault that was not there before: $check" ;;
        esac
        return 1
    done
}

begin_trial() { # new, old, checks
    printf '%s\n%s\n%s\n' "$1" "$2" "$3" >"$TRIAL.new" && sync -- "$TRIAL.new" && mv -T -- "$TRIAL.new" "$TRIAL"
}

end_trial() { rm -f -- "$TRIAL" && rm -rf -- "$ASIDE"; }

put_in_force() { # name of a release
    local new=$1 old checks=''
    old=$(proven)
    if [[ $new == "$old" && ! -f $TRIAL ]]; then
        if ! in_place "$new"; then change "release $new stays in force: links and units as they should be" 'look at the lines above' switch_to "$new"; fi
        if ((NEW_SETTINGS)) && runs "$DAEMON"; then
            change "$DAEMON: with its new settings" "journalctl -u $DAEMON says why; sudo blinkd doctor what to do" start_anew "$DAEMON"
        fi
        return
    fi
    if ((DRY_RUN)); then
        say "would: put release $new in force${old:+ in the place of $old}, restart what runs, and go back if doctor or the daemon fails"
        return
    fi
    if [[ $(trial 1) == "$new" ]]; then
        checks=$(trial 3)
    elif [[ -n $old ]]; then
        say 'asking doctor how it is before'
        checks="$(working_units)$(passed_checks "$RELEASES/$old")"
        rm -rf -- "$ASIDE"
        if [[ -f $RECORDS/blinkd.db && $(schema_of "$RELEASES/$new") != "$(schema_of "$RELEASES/$old")" ]]; then
            need_space "$OPT" $(($(stat -c %s -- "$RECORDS/blinkd.db") / 500000 + 50)) # twice its size
            if runs "$DAEMON"; then systemctl stop "$DAEMON"; fi
            step "the database takes a new form: keeping it aside in its old one" 'check the space on the disk, then run this again' \
                set_aside "$RELEASES/$old"
        fi
    fi
    begin_trial "$new" "$old" "$checks"
    step "release $new: in force${old:+ in the place of $old}" 'run this again' switch_to "$new"
    say 'starting what runs, and asking doctor'
    if passes_gate "$RELEASES/$new" "$checks"; then
        if [[ -n $old && $old != "$new" ]]; then whole_link "releases/$old" "$PREVIOUS"; fi
        end_trial
        return
    fi
    say "release $new is no good here: $WHY"
    if [[ -z $old || $old == "$new" ]]; then
        end_trial
        fail "release $new is in force, but $WHY" 'sudo blinkd doctor says more; then run this again'
    fi
    go_back "$new" "$old"
}

go_back() { # from, to
    local why=$WHY
    if ! return_to "$2"; then
        fail "release $1 was not kept: $why; and release $2, from which it came, is not well either: $WHY" "sudo blinkd doctor, and journalctl -u $DAEMON"
    fi
    fail "release $1 was not kept: $why" "release $2 is in force again, as before; $LOG has what doctor and the daemon said"
}

# Ends a trial by putting the release before in force again. Sets WHY where that does not run either.
return_to() { # name of a release
    if [[ -d $ASIDE ]]; then
        if runs "$DAEMON"; then systemctl stop "$DAEMON"; fi
        if [[ -e $ASIDE/book.head || -e $RECORDS/book.head ]] && ! cmp -s -- "$ASIDE/book.head" "$RECORDS/book.head"; then
            systemctl start "$DAEMON" || true
            fail "release $(trial 1) does not work as it should ($WHY), but has recorded entries in a database that release $1 cannot read" \
                "mend what sudo blinkd doctor finds; it stays in force, so that nothing recorded is lost"
        fi
        step 'the database in its old form comes back' 'check the space on the disk, then run this again' put_back
    fi
    step "release $1: in force again" "run: $SELF rollback" switch_to "$1"
    if ! passes_gate "$RELEASES/$1" "$(trial 3)"; then
        end_trial
        return 1
    fi
    end_trial
}

schema_of() { # release; prints the newest form of the database that it knows
    compgen -G "$1/lib/python*/site-packages/blinkd/store/migrations/v*.sql" | sed 's|.*/||' | LC_ALL=C sort | tail -n 1 || true
}

# One file that holds all, whatever lies in the write-ahead log; and how far the book went
set_aside() { # release
    rm -rf -- "$ASIDE.partial" && install -d -m 700 -- "$ASIDE.partial" && release_python "$1" -c '
import contextlib, sqlite3, sys
with contextlib.closing(sqlite3.connect(sys.argv[1])) as source, contextlib.closing(sqlite3.connect(sys.argv[2])) as copy:
    source.backup(copy)' "$RECORDS/blinkd.db" "$ASIDE.partial/blinkd.db" &&
        if [[ -f $RECORDS/book.head ]]; then cp -- "$RECORDS/book.head" "$ASIDE.partial/"; fi &&
        sync -f -- "$ASIDE.partial" && mv -T -- "$ASIDE.partial" "$ASIDE"
}

put_back() {
    install -m 600 -o "$ACCOUNT" -g "$GROUP" -- "$ASIDE/blinkd.db" "$RECORDS/blinkd.db.new" && sync -- "$RECORDS/blinkd.db.new" &&
        rm -f -- "$RECORDS/blinkd.db-wal" "$RECORDS/blinkd.db-shm" && mv -T -- "$RECORDS/blinkd.db.new" "$RECORDS/blinkd.db"
}

prune_releases() { # but for the one in force and the one before
    local folder keep
    keep=" $(in_force || true) $(before || true) "
    for folder in "$RELEASES"/*; do
        if [[ ! -d $folder || $keep == *" ${folder##*/} "* ]]; then continue; fi
        change "removing ${folder##*/}, which is neither in force nor the one before" 'look at the lines above' remove_release "$folder"
    done
}

remove_release() { # folder; under another name first, so that half of it is never taken for whole
    if [[ $1 == *.removing ]]; then
        rm -rf -- "$1"
    else
        rm -rf -- "$1.removing" && mv -T -- "$1" "$1.removing" && rm -rf -- "$1.removing"
    fi
}

settings_name() { # section.key; whether the settings give it another value than none
    release_python "$CURRENT" - "$CONFIG" "$1" 2>>"$LOG" <<'PYTHON'
import operator, sys
from pathlib import Path
from blinkd.settings_file import load_settings
sys.exit(not operator.attrgetter(sys.argv[2])(load_settings(Path(sys.argv[1]))))
PYTHON
}

# Whether the next certificate comes by a relay; else somebody carries it, and a timer could only fail
renews() { [[ -f $RECORDS/terminal.pem && -x $CURRENT/bin/python ]] && settings_name sync.relay_url; }

start_what_is_configured() {
    if ! configured; then
        say 'not started, for it is not configured: it belongs to no organisation yet. Either of these:'
        say "  $SELF install --bundle FILE     what \`blinkd fleet issue\` made for this terminal"
        say "  sudo blinkd keys join FILE   the organisation's keyring; then $SELF install"
        say "  $SELF install --standalone      this terminal works alone"
        say "A relay: sudo blinkd relay check, then systemctl enable --now $RELAY"
        return
    fi
    if ! systemd_runs; then
        say 'systemd does not run here (a container, or a chroot): nothing is started'
        return
    fi
    local unit units=("$UPKEEP" "$DAEMON")
    if renews; then units+=("$RENEW"); fi
    for unit in "${units[@]}"; do
        if [[ ! -f $UNITS/$unit ]] && ((!DRY_RUN)); then continue; fi
        if ! systemctl -q is-enabled "$unit" 2>/dev/null; then
            change "$unit: to be started at every boot" 'look at the lines above' systemctl enable "$unit"
        fi
        if ! systemctl -q is-active "$unit"; then
            change "$unit: starting it" "journalctl -u $unit says why; sudo blinkd doctor what to do" start_anew "$unit"
        fi
    done
}

# --- an installation: its verbs ------------------------------------------------------------------------------------

bring_release() { # leaves the name in NEW
    local packages=("${RELEASE_PACKAGES[@]}")
    packages+=(python3-systemd)
    # lgpio has no wheel for the Python of trixie
    if on_a_pi; then packages+=(python3-picamera2 python3-lgpio); fi
    if [[ -z $PYTHON ]]; then mapfile -t -O "${#packages[@]}" packages < <(python_packages); fi
    apt_need "${packages[@]}"
    if ! search_python "$MODULES, venv, ensurepip"; then
        if ((DRY_RUN)); then
            say 'would: make a release with the Python of these packages; more cannot be said before they are there'
            exit 0
        fi
        find_python
    fi
    NEW=$(release_name)
    make_release "$RELEASES/$NEW"
    check_settings "$RELEASES/$NEW"
}

set_up() { # what install and upgrade have in common
    bring_release
    if ! account_stands; then change "user $ACCOUNT, and its folders" 'look at the lines above' make_account_and_folders; fi
    place_config
    place_key
    take_bundle "$RELEASES/$NEW"
    measure_speed "$RELEASES/$NEW"
    put_in_force "$NEW"
    prune_releases
}

verb_install() {
    preflight
    begin_installation
    set_up
    start_what_is_configured
    say "$( ((DRY_RUN)) && echo 'nothing was changed' || echo "done: blinkd $NEW; sudo blinkd doctor looks at everything")"
}

verb_upgrade() {
    preflight
    [[ -n $(proven) ]] || fail 'nothing is installed here' "$SELF install"
    begin_installation
    set_up
    if [[ -n $BUNDLE ]]; then start_what_is_configured; fi
    say "$( ((DRY_RUN)) && echo 'nothing was changed' || echo "done: blinkd $NEW")"
}

verb_rollback() {
    local target
    check_machine
    if [[ -f $TRIAL ]]; then target=$(trial 2); else target=$(before || true); fi
    [[ -n $target ]] || fail 'there is no release to go back to' "$SELF check says what is installed"
    is_whole "$RELEASES/$target" || fail "release $target is damaged" 'install it again from its checkout: ./install.sh upgrade'
    begin_installation
    check_settings "$RELEASES/$target"
    if [[ -f $TRIAL ]] && ((!DRY_RUN)); then
        WHY='the run that put it in force was cut off'
        return_to "$target" || fail "release $target is in force again, but $WHY" "sudo blinkd doctor, and journalctl -u $DAEMON"
    else
        put_in_force "$target"
    fi
    say "$( ((DRY_RUN)) && echo 'nothing was changed' || echo "done: blinkd $target is in force")"
}

counts_of_waiting() { # prints how many punches and changes of people the relay does not have; nothing where that cannot be told
    blinkd_of "$CURRENT" sync status --json 2>>"$LOG" | release_python "$CURRENT" -c '
import json, sys
found = json.load(sys.stdin)
print(found["attendance"]["pending"] + found["attendance"]["failed"], found["people"]["pending"] + found["people"]["failed"])' 2>>"$LOG" || true
}

confirm() { # question
    local answer
    if ((UNATTENDED || DRY_RUN)); then return; fi
    [[ -t 0 ]] || fail "cannot ask: $1" 'run it on a terminal, or with --unattended if you are sure'
    read -r -p "install.sh: $1 [yes/no] " answer
    [[ $answer == yes ]] || fail 'not confirmed; nothing was changed' 'answer yes'
}

ask_about_records() {
    local punches='' people=''
    if [[ ! -d $RECORDS ]]; then return; fi
    read -r punches people < <(counts_of_waiting) || true
    if [[ -z $punches ]]; then
        say "WARNING: how many punches of $RECORDS were never sent cannot be told"
    elif ((punches + people > 0)); then
        say "WARNING: $punches punches and $people changes of people were never sent; they exist nowhere else"
    fi
    if [[ -d $RELAY_RECORDS && $(ls -A -- "$RELAY_RECORDS") ]]; then say "WARNING: $RELAY_RECORDS, a relay's database where it has no PostgreSQL, goes too"; fi
    confirm "remove settings, every punch, every template and their key for good?"
}

remove_services() {
    local unit
    for unit in "$UNITS"/blinkd*; do
        if [[ ! -e $unit ]]; then continue; fi
        if systemd_runs; then
            systemctl --quiet disable --now "${unit##*/}" || return
        else
            systemctl --quiet disable "${unit##*/}" || return
        fi
    done
    rm -f -- "$UNITS"/blinkd* "$SYSUSERS"/blinkd.conf* "$TMPFILES"/blinkd.conf* "$R"/var/lib/systemd/timers/stamp-blinkd* &&
        remove_empty "$UNITS" "$(dirname -- "$UNITS")" "$SYSUSERS" "$TMPFILES" &&
        if systemd_runs; then systemctl daemon-reload && { systemctl reset-failed 'blinkd*' || true; }; fi
}

remove_empty() { # folders
    local folder
    for folder in "$@"; do
        if [[ -d $folder ]]; then rmdir --ignore-fail-on-non-empty -- "$folder" || return; fi
    done
}

remove_code() {
    if [[ $(readlink -- "$COMMAND") == "$CURRENT/bin/blinkd" ]]; then rm -f -- "$COMMAND" || return; fi
    rm -rf -- "$OPT"
}

remove_records() {
    rm -rf -- "$RECORDS" "$RELAY_RECORDS" "$ETC" && rm -f -- "$KEY_SEALED"* || return
    remove_empty "$BACKUPS" || return # back-ups in it were made for the day on which all else is gone
    # where systemd made the folder itself it may be needed
    if ! grep -qs "$(dirname -- "$KEY_SEALED")" /usr/lib/tmpfiles.d/*.conf; then remove_empty "$(dirname -- "$KEY_SEALED")"; fi
    local name
    for name in "$ACCOUNT" "$RELAY_ACCOUNT" "$DISPLAY_ACCOUNT"; do
        if [[ -z $R && $(getent passwd "$name") ]]; then userdel "$name" || return; fi
        if [[ -z $R && $(getent group "$name") ]]; then groupdel "$name" || return; fi
    done
}

verb_uninstall() {
    ((EUID == 0)) || [[ -n $R ]] || fail 'this needs root' "sudo $SELF ${ARGUMENTS[*]}"
    LOG=/dev/null
    if ((!DRY_RUN)); then alone_on_machine; fi
    if ((PURGE)); then ask_about_records; fi
    if ((!DRY_RUN)); then
        LOG=$R/run/blinkd-install.log # not below what is removed
        : >"$LOG"
    fi
    local anything='look at the lines above, then run this again'
    if [[ $(compgen -G "$UNITS/blinkd*") ]]; then change 'services: stopped and removed' "$anything" remove_services; fi
    if [[ -L $COMMAND || -e $OPT ]]; then change "releases: $OPT and $COMMAND removed" "$anything" remove_code; fi
    if ((PURGE)); then
        change "settings, records and key: $ETC, $RECORDS, $RELAY_RECORDS and their users removed" "$anything" remove_records
    else
        say "kept: $ETC, $RECORDS, $RELAY_RECORDS, the key of what is stored there, and their users (uninstall --purge removes them)"
    fi
    if [[ -d $BACKUPS && $(ls -A -- "$BACKUPS") ]]; then say "kept: the back-ups in $BACKUPS, which only the organisation's keyring opens"; fi
    say 'Debian packages are kept: others may use them by now'
    if ((!DRY_RUN)); then rm -f -- "$LOG"; fi
}

report() { # ok | FAIL | note, what
    printf '%-4s  %s\n' "$1" "$2"
    if [[ $1 == FAIL ]]; then FAULTS=$((FAULTS + 1)); fi
}

check_release() { # name
    local release=$RELEASES/$1 changed added
    if [[ ! -f $release/SHA256SUMS ]]; then
        report FAIL "release $1 has no list of hashes: install it again"
        return
    fi
    changed=$(cd -- "$release" && { sha256sum --quiet --strict -c SHA256SUMS 2>/dev/null || true; } | head -n 5 | tr '\n' ' ')
    added=$(cd -- "$release" && comm -13 <(cut -c 67- SHA256SUMS | LC_ALL=C sort) <(find . -type f ! -path ./SHA256SUMS | LC_ALL=C sort) |
        head -n 5 | tr '\n' ' ')
    if [[ -n $changed$added ]]; then
        report FAIL "release $1: files are not as installed; install it again: $changed${added:+added: $added}"
    else
        report ok "release $1: $(wc -l <"$release/SHA256SUMS") files as installed"
    fi
}

check_units() { # name of the release
    local different
    different=$(changed_units "$1")
    if [[ -n $different ]]; then
        report FAIL "units are not those of the release: ${different}-- run $SELF install (changes of yours belong below /etc/systemd/system)"
    else
        report ok "units are those of the release"
    fi
}

check_key() {
    if [[ ! -s $KEY_SEALED && ! -s $KEY_FILE ]]; then
        report note 'no key of the stored templates yet: the first enrolment makes it'
    elif [[ ! -s $KEY_SEALED ]]; then
        report ok "key of the stored templates: $KEY_FILE, beside what it locks"
    elif ! opened_key >/dev/null; then
        report FAIL "$KEY_SEALED does not open: it was sealed on another machine or system"
    elif [[ ! -e $KEY_FILE ]]; then
        report ok 'key of the stored templates: a credential sealed to this machine'
    elif cmp -s -- "$KEY_FILE" <(opened_key); then
        report note "key of the stored templates: a credential sealed to this machine; $KEY_FILE is a copy in clear, which can go once the daemon has run: rm $KEY_FILE"
    else
        report FAIL "$KEY_FILE is another key than the credential, which counts; move it away, and put it back only if templates do not open"
    fi
}

account_groups() { sed -n "s/^m $ACCOUNT //p" "$1"; } # sysusers file; prints those that own the devices

in_its_groups() { # sysusers file
    local group
    while IFS= read -r group; do
        [[ " $(id -nG "$ACCOUNT") " == *" $group "* ]] || return
    done < <(account_groups "$1")
}

check_account() {
    if [[ ! $(getent passwd "$ACCOUNT") ]]; then
        report FAIL "there is no user $ACCOUNT: run $SELF install"
    elif ! in_its_groups "$SYSUSERS/blinkd.conf"; then
        report FAIL "user $ACCOUNT is not in all groups that own cameras and door ($(account_groups "$SYSUSERS/blinkd.conf" | tr '\n' ' ')): run $SELF install"
    else
        report ok "user $ACCOUNT, in the groups that own cameras and door"
    fi
}

check_services() {
    local unit
    if ! configured; then report note "not configured: no keyring, and not chosen to stand alone; nothing starts"; fi
    if ! systemd_runs; then
        report note 'systemd does not run here; nothing is started'
        return
    fi
    for unit in "$DAEMON" "$UPKEEP" "$RENEW" "$RELAY"; do
        if systemctl -q is-failed "$unit"; then
            report FAIL "$unit has failed: journalctl -u $unit"
        elif systemctl -q is-active "$unit"; then
            report ok "$unit runs"
        elif systemctl -q is-enabled "$unit" 2>/dev/null; then
            report FAIL "$unit is enabled and does not run: systemctl start $unit"
        fi
    done
}

verb_check() {
    local name said other
    ((EUID == 0)) || [[ -n $R ]] || fail 'this needs root, for settings and records are closed to others' "sudo $SELF check"
    LOG=/dev/null
    FAULTS=0
    name=$(in_force || true)
    if [[ -z $name ]]; then
        report FAIL "no release is in force${R:+ below $R}: $SELF install"
        exit 1
    fi
    report ok "in force: $name; before it: $(before || echo none)"
    for other in "$RELEASES"/*; do
        case ${other##*/} in
            *.partial | *.removing) report note "left by a run that was cut off, and removed by the next: ${other##*/}" ;;
        esac
    done
    if [[ -f $TRIAL ]]; then report FAIL "release $(trial 1) was never found to work, for the run was cut off: run $SELF upgrade, or $SELF rollback"; fi
    check_release "$name"
    if [[ -n $(before || true) ]]; then check_release "$(before)"; fi
    check_units "$name"
    if said=$(settings_fit "$RELEASES/$name" "$CONFIG" 2>&1); then report ok "$CONFIG"; else report FAIL "$said"; fi
    check_key
    check_account
    check_services
    printf '      doctor says:\n'
    if ! blinkd_of "$RELEASES/$name" doctor | sed 's/^/      /'; then FAULTS=$((FAULTS + 1)); fi
    ((FAULTS == 0)) || exit 1
}

# pip judges the markers of requirements by the Python that runs it, so it would fetch this machine's versions for another one
for_machine() { # Python version, machine; standard input: part of the lock file; prints what of it counts there
    "$VENV/bin/python" -I -c '
import sys
from packaging.markers import Marker
version, machine = sys.argv[1:]
there = {
    "implementation_name": "cpython", "implementation_version": version + ".0", "os_name": "posix", "platform_machine": machine,
    "platform_python_implementation": "CPython", "platform_system": "Linux", "python_full_version": version + ".0",
    "python_version": version, "sys_platform": "linux" }
counts = False
for line in sys.stdin:
    if line[:1].isalnum():
        name, _, marker = line.rstrip("\\ \n").partition(" ; ")
        counts = not marker or Marker(marker).evaluate(there)
        line = name + " \\\n"
    if counts and line[:1] not in ("#", "\n"):
        sys.stdout.write(line)
' "$1" "$2"
}

fetch_wheels() { # folder
    local sections=("${RELEASE_SECTIONS[@]}" pi) for_other=() machine glibc wanted=$ROOT/.cache/wheelhouse.txt
    machine=${ARCH:-$(uname -m)}
    lock_sections "${sections[@]}" >"$wanted" || return
    if [[ -n $ARCH$PYTHON_VERSION ]]; then
        for glibc in 5 12 17 24 26 27 28 31 34; do for_other+=(--platform "manylinux_2_${glibc}_$machine"); done
        for_other+=(--platform "manylinux2014_$machine" --implementation cp --abi abi3 --abi none)
        PYTHON_VERSION=${PYTHON_VERSION:-$("$VENV/bin/python" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')}
        for_other+=(--python-version "$PYTHON_VERSION" --abi "cp${PYTHON_VERSION/./}")
        for_machine "$PYTHON_VERSION" "$machine" <"$wanted" >"$wanted.there" && mv -- "$wanted.there" "$wanted" || return
    fi
    pip download --require-hashes --no-deps --only-binary :all: "${for_other[@]}" --dest "$1" -r "$wanted"
}

verb_wheelhouse() {
    local folder=${WORDS[0]:-}
    if [[ -z $folder || ${#WORDS[@]} -gt 1 || ! ${ARCH:-x86_64} =~ ^(aarch64|x86_64)$ || ! ${PYTHON_VERSION:-3.11} =~ ^3\.1[123]$ ]]; then
        say 'usage: ./install.sh wheelhouse DIR [--arch aarch64|x86_64] [--python 3.11|3.12|3.13]'
        exit 2
    fi
    folder=$(realpath -m -- "$folder")
    prepare "${DEMO_PACKAGES[@]}" -- backend
    mkdir -p -- "$folder"
    step "wheels of requirements.lock for ${ARCH:-$(uname -m)}, Python ${PYTHON_VERSION:-as here}, in $folder" \
        'check the network and the space on the disk, then run this again' fetch_wheels "$folder"
    say "carry $folder to the machine, and there: sudo ./install.sh install --offline DIR"
}

WORDS=() # what stands among the options of a verb
declare -rA OPTIONS=(
    [install]='--bundle --password-fd --config --offline --standalone --dry-run --unattended'
    [upgrade]='--bundle --password-fd --config --offline --dry-run --unattended'
    [rollback]='--dry-run --unattended'
    [uninstall]='--purge --dry-run --unattended'
    [check]='--unattended'
    [wheelhouse]='--arch --python --unattended'
)

# Options that a verb has; a wrong one changes nothing
parse() { # options allowed, arguments…
    local allowed=" $1 " option
    shift
    while (($#)); do
        option=$1
        shift
        if [[ $option != --* ]]; then
            WORDS+=("$option")
            continue
        fi
        if [[ $allowed != *" $option "* ]]; then wrong_usage "no option $option here"; fi
        case $option in
            --dry-run) DRY_RUN=1 ;;
            --unattended) UNATTENDED=1 ;;
            --purge) PURGE=1 ;;
            --standalone) CHOSE_STANDALONE=1 ;;
            *)
                if ((!$#)) || [[ -z $1 ]]; then wrong_usage "$option needs a value"; fi
                case $option in
                    --bundle) BUNDLE=$1 ;;
                    --password-fd) PASSWORD_FD=$1 ;;
                    --config) GIVEN_CONFIG=$1 ;;
                    --offline) WHEELHOUSE=$1 ;;
                    --arch) ARCH=$1 ;;
                    --python) PYTHON_VERSION=$1 ;;
                esac
                shift
                ;;
        esac
    done
}

wrong_usage() { # what
    say "$1"
    usage >&2
    exit 2
}

# --- what was asked for --------------------------------------------------------------------------------------------

main() {
    trap 'unexpected "$LINENO" "$BASH_COMMAND"' ERR
    unset PYTHONHOME PYTHONPATH # of another Python (ROS sets one); what is in .venv counts
    ARGUMENTS=("$@")
    local verb=${1:-}
    if (($#)); then shift; fi
    case $verb in
        demo | test | setup | lock) "verb_$verb" "$@" ;;
        install | upgrade | rollback | uninstall | check | wheelhouse)
            parse "${OPTIONS[$verb]}" "$@"
            if [[ $verb != wheelhouse && ${#WORDS[@]} -gt 0 ]]; then wrong_usage "$verb does not take '${WORDS[0]}'"; fi
            "verb_$verb"
            ;;
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
