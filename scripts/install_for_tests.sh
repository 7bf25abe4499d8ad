#!/bin/sh
# Installs what tests drive and Python packages do not bring, where it is missing: Debian's
# Chromium for the page, a Java for Spark, R with mgcv for parity, and on Linux the tools of XFS
# for power cuts and faketime for other clocks.
set -eu
missing=
if ! command -v chromium >/dev/null 2>&1 && ! command -v chromium-browser >/dev/null 2>&1; then
    missing="chromium fonts-dejavu-core"
fi
if ! command -v java >/dev/null 2>&1; then
    missing="$missing openjdk-17-jre-headless"
fi
if ! command -v Rscript >/dev/null 2>&1; then
    missing="$missing r-base-core r-cran-mgcv"
fi
if [ "$(uname)" = Linux ] && ! command -v faketime >/dev/null 2>&1; then
    missing="$missing faketime"
fi
if [ "$(uname)" = Linux ] && ! PATH=$PATH:/usr/sbin:/sbin command -v mkfs.xfs >/dev/null 2>&1; then
    missing="$missing xfsprogs"
fi
if [ -z "$missing" ]; then
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "Install $missing with your package manager, then run make test again." >&2
    exit 1
fi
as_root=
if [ "$(id -u)" != 0 ]; then as_root=sudo; fi
echo "Installing $missing ..." >&2
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086  these are several words
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
