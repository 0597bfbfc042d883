#!/usr/bin/env bash
# Real full and read-only file systems under a terminal: a small tmpfs, and a small ext4 that the kernel turns read-only by itself, as it does
# with a failing SD card. Not part of the normal test command: it needs root, mount namespaces, loop devices, mkfs.ext4 and e2fsck. Without them
# it fails. `tests/integration/durability/real_disks.sh [PYTHON]`, the default being the checkout's .venv.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../.."

if ((EUID != 0)); then
    echo 'real_disks.sh: FAILED: mounting needs root; run it by sudo' >&2
    exit 1
fi
for command in unshare mount umount mkfs.ext4 e2fsck; do
    if [[ ! $(command -v "$command") ]]; then
        echo "real_disks.sh: FAILED: $command is missing; install util-linux and e2fsprogs" >&2
        exit 1
    fi
done
# a mount namespace of its own: whatever happens, nothing stays mounted
exec unshare --mount --propagation private "${1:-.venv/bin/python}" -m tests.integration.durability.real_disks
