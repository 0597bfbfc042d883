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

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
CACHE=${BLINKD_CACHE_DIR:-$HOME/.cache/blinkd}/fresh
MIRROR=${MIRROR:-} # empty: the one that debootstrap knows
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

say() { printf '[fresh machine] %s\n' "$*"; }

bare_system() { # folder
    [[ -d $1 ]] && return
    say "making a bare Debian $SUITE in $1"
    rm -rf -- "$1.partial"
    mkdir -p -- "$CACHE"
    if ! debootstrap --variant=minbase --include=sudo "$SUITE" "$1.partial" ${MIRROR:+"$MIRROR"} >"$1.log" 2>&1; then
        tail -n 20 "$1.log" >&2
        exit 1
    fi
    mv -- "$1.partial" "$1"
}

# The way to the network, as this machine has it
give_network() { # root
    local root=$1 file
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    cp /etc/hosts "$root/etc/hosts"
    apt-config dump | grep -E '^Acquire::(http|https|Check|AllowInsecure|Retries)' >"$root/etc/apt/apt.conf.d/90-caller" || true
    for file in /etc/pip.conf /usr/local/share/ca-certificates "${PIP_CERT:-}" "${SSL_CERT_FILE:-}" "${REQUESTS_CA_BUNDLE:-}"; do
        if [[ -n $file && -e $file ]]; then
            mkdir -p -- "$root$(dirname -- "$file")"
            cp -RLn -- "$file" "$root$(dirname -- "$file")/"
        fi
    done
}

make_machine() { # root, user
    local root=$1 user=$2
    cp -a -- "$CACHE/$SUITE" "$root"
    give_network "$root"
    mount --bind /proc "$root/proc"
    mount --bind /sys "$root/sys" # the processors are listed there
    mount --bind /dev "$root/dev"
    if [[ $user != root ]]; then
        chroot "$root" useradd --create-home --shell /bin/bash "$user"
        echo "$user ALL=(ALL) NOPASSWD: ALL" >"$root/etc/sudoers.d/$user"
    fi
}

home_of() { if [[ $1 == root ]]; then echo /root; else echo "/home/$1"; fi; }

# What git knows and what is new here, never what is ignored; a blank in the path on purpose
copy_checkout() { # root, user
    local folder
    folder="$(home_of "$2")/check out"
    mkdir -p -- "$1$folder"
    git -C "$ROOT" -c safe.directory="$ROOT" ls-files -z --cached --others --exclude-standard |
        while IFS= read -r -d '' file; do if [[ -e $ROOT/$file ]]; then printf '%s\0' "$file"; fi; done |
        tar -C "$ROOT" --null -T - -c | tar -C "$1$folder" -x
    chroot "$1" chown -R "$2:" "$folder"
}

in_machine() { # root, user, command…
    local root=$1 user=$2 variables=() name
    shift 2
    for name in $(compgen -e); do
        case $name in
            PIP_* | http_proxy | https_proxy | no_proxy | HTTP_PROXY | HTTPS_PROXY | NO_PROXY | SSL_CERT_FILE | REQUESTS_CA_BUNDLE)
                variables+=("$name=${!name}")
                ;;
        esac
    done
    # From another folder and without standard input, as a script would
    chroot "$root" runuser -u "$user" -- env -i -C / "HOME=$(home_of "$user")" "USER=$user" LANG=C.UTF-8 CI=true \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${variables[@]}" "$@" </dev/null
}

debian_packages() { chroot "$1" dpkg --get-selections | cut -f 1 | sort; } # root

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
