#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# check_cppcheck.sh BUILD-DIRECTORY: cppcheck over all C sources; tests/lint/cppcheck-suppressions.txt
# says what is silenced and why. Its cache in the build tree makes a second run short.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1
mkdir -p "$build/cppcheck"

folders=()
for folder in abi kernel lib user tools; do
    [ -d $folder ] && folders+=("$folder")
done

cppcheck --quiet -j "$(nproc)" --cppcheck-build-dir="$build/cppcheck" \
    --std=c11 --platform=unix64 --enable=warning,performance,portability \
    --inline-suppr --suppressions-list=<(grep -v '^ *\(#\|$\)' tests/lint/cppcheck-suppressions.txt) \
    --error-exitcode=1 --template='{file}:{line}: {id}: {message}' \
    -DBULKHEAD_DEBUG=1 -D__x86_64__ -I . -I "$build/generated" -I user/libsel4/include \
    "${folders[@]}"
echo "cppcheck has nothing to say"
