#!/usr/bin/env bash
# Proves install.sh's verbs with everything real, on a bare Debian in a folder: packages, hashes, users, killed runs, upgrades that are
# taken back, no network. systemd does not run there; tests/integration/systemd does that part.
#
#   sudo tests/integration/installation.sh [--suite bookworm|trixie]
#
# shellcheck disable=SC2317 # most functions are called by proved
#
# Needs root, debootstrap, 5 GB and some ten minutes. Prints what was proved and how long each step took; exit 0 only if all of it holds.
set -euo pipefail

# shellcheck source=tests/integration/machines.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/machines.sh"
SUITE=bookworm

case ${1:-} in
    --suite) SUITE=$2 ;;
    -h | --help)
        sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"
        exit 0
        ;;
esac
if ((EUID != 0)) || [[ ! $(command -v debootstrap) ]]; then
    echo 'installation.sh needs root and debootstrap (apt-get install debootstrap)' >&2
    exit 1
fi
if [[ -z ${BLINKD_FRESH_NAMESPACE:-} ]]; then
    BLINKD_FRESH_NAMESPACE=1 exec unshare --mount --propagation private -- "$0" --suite "$SUITE"
fi

MACHINE=''
trap '[[ -z $MACHINE ]] || { umount -R "$MACHINE/root/proc" "$MACHINE/root/sys" "$MACHINE/root/dev"; rm -rf --one-file-system -- "$MACHINE"; }' EXIT
FAILED=0
TABLE=()

inside() { in_machine "$M" root "$@"; } # command…

proved() { # what, command…
    local what=$1
    shift
    if "$@"; then
        TABLE+=("   proved  $what")
    else
        TABLE+=("   FAILED  $what")
        FAILED=1
    fi
}

install_sh() { # wanted exit code, arguments…; what it said stays in $M/said
    local wanted=$1 began=$EPOCHREALTIME status=0 seconds
    shift
    say "./install.sh $*"
    inside "$CHECKOUT/install.sh" "$@" >"$M/said" 2>&1 || status=$?
    sed 's/^/    /' "$M/said"
    seconds=$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
    TABLE+=("$(printf '%7s s  exit %d  %s' "$seconds" "$status" "$*")")
    if ((status != wanted)); then
        TABLE+=("   FAILED  exit $wanted was expected")
        FAILED=1
    fi
}

said() { grep -q -- "$1" "$M/said"; }
in_force() { basename -- "$(readlink -- "$M/opt/blinkd/current")"; }
is_in_force() { [[ $(in_force) == "$1" ]]; }
another_build() { echo "# build $1" >>"$M$CHECKOUT/blinkd/py.typed"; }
no_longer() { [[ ! -e $M$1 ]]; }

# All files but those that Debian's own tools (systemd's own key among them), pip and this script keep
everything() {
    (cd -- "$M" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./tmp -o -path ./run -o -path ./root -o -path ./var/lib/apt \
        -o -path ./var/cache -o -path ./var/log -o -path ./var/lib/dpkg -o -name '*.pyc' -o -name __pycache__ -o -path ./said \
        -o -path ./var/lib/systemd/credential.secret \) -prune -o -print) | LC_ALL=C sort
}

bare_system "$CACHE/$SUITE"
MACHINE=$(mktemp -d -- "$CACHE/machine.XXXXXX")
M=$MACHINE/root
make_machine "$M" root
copy_checkout "$M" root
CHECKOUT='/root/check out'

# --- from nothing, killed on the way -------------------------------------------------------------------------------
install_sh 0 install --dry-run
proved 'a dry run leaves nothing' no_longer /opt/blinkd
install_sh 0 wheelhouse /root/wheels
inside apt-get -q -y --no-install-recommends install systemd python3-systemd >/dev/null 2>&1 # so that below only install.sh's own is counted
BARE=$(everything)
say 'killing an installation while pip works'
inside timeout --signal KILL 12 "$CHECKOUT/install.sh" install --offline /root/wheels >/dev/null 2>&1 || true
proved 'a killed installation has put nothing in force' no_longer /opt/blinkd/current
printf '[camera]\ndriver = "folder"\npath = "/srv/pictures"\n' >"$M/root/given.toml"
install_sh 0 install --standalone --config /root/given.toml
FIRST=$(in_force)
proved 'nothing was started, and that was said' said 'systemd does not run here'
proved 'the state folder is the daemon'"'"'s' test "$(inside stat -c '%U %a' /var/lib/blinkd)" = 'blinkd 700'
proved 'settings are closed to others' test "$(inside stat -c '%U %G %a' /etc/blinkd/blinkd.toml)" = 'root blinkd 640'
proved 'the networks were timed by the daemon'"'"'s user' test "$(inside stat -c %U /var/lib/blinkd/embedder_speed.json)" = blinkd
proved 'the daemon'"'"'s user can run the command' inside runuser -u blinkd -- blinkd models verify
inside /opt/blinkd/current/bin/python -c '
import pathlib, cv2, numpy
pathlib.Path("/srv/pictures").mkdir()
cv2.imwrite("/srv/pictures/1.png", numpy.full((480, 640, 3), 90, numpy.uint8))'
install_sh 0 install
proved 'a second run finds the release whole' said 'is there, and whole'
install_sh 0 check
proved 'its hashes hold' said 'files as installed'

# --- root and the daemon work on the same records with the same key ------------------------------------------------
mkdir -p -- "$M/root/.cache/blinkd"
if [[ -d ${CACHE%/fresh}/media ]]; then cp -a -- "${CACHE%/fresh}/media" "$M/root/.cache/blinkd/"; fi
inside /opt/blinkd/current/bin/python -c '
import shutil
from blinkd.models.media import fetch_media
shutil.copy(fetch_media() / "single_face.jpg", "/srv/face.jpg")'
proved 'root enrols somebody' inside blinkd enroll --name 'Sam Sample' --image /srv/face.jpg
proved 'whom the daemon'"'"'s key opens' grep -q '"verdict": *"match"' <(inside blinkd identify --json /srv/face.jpg)
proved 'which is nowhere in the state folder' no_longer /var/lib/blinkd/template.key
proved 'where all belongs to the daemon' test -z "$(inside find /var/lib/blinkd ! -user blinkd)"
install_sh 0 check
proved 'doctor opens every template' said 'integrity checked, 1 people'

# --- upgrades ------------------------------------------------------------------------------------------------------
another_build 2
say 'killing an upgrade while it works'
inside timeout --signal KILL 15 "$CHECKOUT/install.sh" upgrade --offline /root/wheels >/dev/null 2>&1 || true
proved 'the release before is in force' is_in_force "$FIRST"
install_sh 0 upgrade --offline /root/wheels
SECOND=$(in_force)
proved 'another one is in force' test "$SECOND" != "$FIRST"
install_sh 0 rollback
proved 'the first is in force again' is_in_force "$FIRST"
install_sh 0 rollback
proved 'and the second again' is_in_force "$SECOND"
cp -a -- "$M$CHECKOUT" "$M/root/kept"
sed -i '1a raise SystemExit("broken on purpose")' "$M$CHECKOUT/blinkd/cli/checks.py"
install_sh 1 upgrade --offline /root/wheels
proved 'a release whose doctor fails is taken back by itself' is_in_force "$SECOND"
proved 'and why is said' said 'was not kept: doctor finds a fault that was not there before'
rm -rf -- "$M$CHECKOUT" && mv -- "$M/root/kept" "$M$CHECKOUT"

# --- no network, other packages, other settings --------------------------------------------------------------------
another_build 3
say 'from here on without a network'
inside unshare --net -- "$CHECKOUT/install.sh" upgrade --offline /root/wheels >"$M/said" 2>&1 || true
proved 'an upgrade needs no network with a folder of wheels' test "$(in_force)" != "$SECOND"
THIRD=$(in_force)
another_build 4
wheel=$(find "$M/root/wheels" -name 'paho_mqtt-*.whl')
printf 'x' >>"$wheel"
install_sh 1 upgrade --offline /root/wheels
proved 'a wheel with another hash is refused' said 'DO NOT MATCH THE HASHES'
proved 'and nothing has changed' is_in_force "$THIRD"
echo 'of_another_version = true' >"$M/root/given.toml"
install_sh 1 upgrade --config /root/given.toml
proved 'settings of another version are refused' said 'no such setting'
proved 'and nothing has changed' is_in_force "$THIRD"
echo changed >>"$M/opt/blinkd/current/share/blinkd/models/manifest.toml"
install_sh 1 check
proved 'check names the file that was changed' said 'share/blinkd/models/manifest.toml'

# --- and away with it ----------------------------------------------------------------------------------------------
install_sh 0 uninstall
proved 'the records stay' test -e "$M/var/lib/blinkd"
proved 'the releases are gone' no_longer /opt/blinkd
install_sh 0 uninstall --purge --unattended
rm -rf -- "$M/srv/pictures" "$M/srv/face.jpg"
AFTER=$(everything)
proved 'nothing is left' test "$AFTER" = "$BARE"
diff <(echo "$BARE") <(echo "$AFTER") | sed 's/^/    /' || true
proved 'nor is the user' test -z "$(inside getent passwd blinkd || true)"

printf '\n'
printf '%s\n' "${TABLE[@]}"
exit "$FAILED"
