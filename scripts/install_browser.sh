#!/bin/sh
# Installs what the tests of the page drive, where it is missing: Debian's Chromium.
set -eu
if command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1; then
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "Install Chromium with your package manager, then run make test again." >&2
    exit 1
fi
as_root=
if [ "$(id -u)" != 0 ]; then as_root=sudo; fi
echo "Installing Chromium ..." >&2
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
$as_root apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
