# Bare Debian systems in folders, for scripts that try install.sh on machines that have nothing. To be sourced; sets ROOT, CACHE, MIRROR.
# shellcheck shell=bash

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
CACHE=${BLINKD_CACHE_DIR:-$HOME/.cache/blinkd}/fresh
MIRROR=${MIRROR:-} # empty: the one that debootstrap knows

say() { printf '[%s] %s\n' "$(basename -- "$0" .sh)" "$*"; }

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
