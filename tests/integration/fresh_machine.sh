#!/usr/bin/env bash
# Proves that two commands suffice on a machine that has nothing: makes a fresh Debian, puts this checkout in it and runs
# install.sh there, once as root and once as a user who may use sudo, each time twice (the second must be quick).
#
#   sudo tests/integration/fresh_machine.sh                        demo and test, as root and as a sudoer
#   sudo tests/integration/fresh_machine.sh --as sudoer demo       one of them
#   sudo tests/integration/fresh_machine.sh --suite trixie 'setup backend terminal'
#
# Needs root (chroot, mounts), debootstrap and about 3 GB. The bare system is kept under ${BLINKD_CACHE_DIR:-~/.cache/blinkd}
# and copied for each run; package caches start empty, so times are those of a first installation. How the network is reached
# is taken from here: PIP_* and *_proxy variables, /etc/pip.conf, resolv.conf, local certificates, apt's Acquire options.
# MIRROR names another Debian mirror. Prints a table of times; exit 0 only if every run ended well.
set -euo pipefail

# shellcheck source=tests/integration/machines.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/machines.sh"
SUITE=bookworm
USERS=(root sudoer)
VERBS=()
FAILED=0

while (($#)); do
    case $1 in
        --suite)
            SUITE=$2
            shift
            ;;
        --as)
            USERS=("$2")
            shift
            ;;
        -h | --help)
            sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"
            exit 0
            ;;
        -*)
            echo "unknown option $1; see --help" >&2
            exit 2
            ;;
        *) VERBS+=("$1") ;;
    esac
    shift
done
((${#VERBS[@]})) || VERBS=(demo test)

if ((EUID != 0)) || [[ ! $(command -v debootstrap) ]]; then
    echo 'fresh_machine.sh needs root and debootstrap (apt-get install debootstrap)' >&2
    exit 1
fi
# Mounts in a namespace of our own are gone when it ends, however it ends
if [[ -z ${BLINKD_FRESH_NAMESPACE:-} ]]; then
    arguments=(--suite "$SUITE")
    ((${#USERS[@]} == 1)) && arguments+=(--as "${USERS[0]}")
    BLINKD_FRESH_NAMESPACE=1 exec unshare --mount --propagation private -- "$0" "${arguments[@]}" "${VERBS[@]}"
fi

run_verb() { # root, user, verb line, which run
    local began=$EPOCHREALTIME status=0 words seconds
    read -ra words <<<"$3"
    say "$2: ./install.sh $3 ($4 run)"
    in_machine "$1" "$2" "$(home_of "$2")/check out/install.sh" "${words[@]}" || status=$?
    seconds=$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
    TABLE+=("$(printf '%-8s %-28s %-7s %8s s  exit %d' "$2" "$3" "$4" "$seconds" "$status")")
    if ((status)); then FAILED=1; fi
}

MACHINE=''
trap '[[ -z $MACHINE ]] || { umount -R "$MACHINE/root/proc" "$MACHINE/root/sys" "$MACHINE/root/dev" && rm -rf --one-file-system -- "$MACHINE"; }' EXIT
TABLE=()
bare_system "$CACHE/$SUITE"
for user in "${USERS[@]}"; do
    MACHINE=$(mktemp -d -- "$CACHE/machine.XXXXXX")
    make_machine "$MACHINE/root" "$user"
    copy_checkout "$MACHINE/root" "$user"
    before=$(debian_packages "$MACHINE/root")
    for verb in "${VERBS[@]}"; do
        run_verb "$MACHINE/root" "$user" "$verb" first
        run_verb "$MACHINE/root" "$user" "$verb" second
    done
    added=$(comm -13 <(echo "$before") <(debian_packages "$MACHINE/root") | tr '\n' ' ')
    TABLE+=("$user: Debian packages that were added: ${added:-none}")
    foreign=$(find "$MACHINE/root$(home_of "$user")" ! -uid "$(stat -c %u "$MACHINE/root$(home_of "$user")")" -print -quit)
    if [[ -n $foreign ]]; then
        TABLE+=("$user: FAULT: ${foreign#"$MACHINE/root"} belongs to another")
        FAILED=1
    fi
    umount "$MACHINE/root/proc" "$MACHINE/root/sys" "$MACHINE/root/dev"
    rm -rf --one-file-system -- "$MACHINE"
    MACHINE=''
done
printf '\n'
printf '%s\n' "${TABLE[@]}"
exit "$FAILED"
