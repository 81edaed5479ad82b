#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# check.sh BUILD MODEL MISTAKE...
# Searches all states of tests/model/MODEL.pml, where nothing may be wrong; and again with each
# deliberate mistake, where Spin must find something: a model that cannot fail shows nothing.
# An argument NAME=VALUE before the mistakes sets a size of the model for all searches.
set -euo pipefail
build=$1
model=$2
shift 2
source=$PWD/tests/model/$model.pml

command -v spin >/dev/null || exit 77

sizes=()
while [[ ${1-} == *=* ]]; do
    sizes+=("-D$1")
    shift
done

folder=$build/model/$model${sizes[*]:+.${sizes[*]#-D}}
folder=${folder// /.}
mkdir -p "$folder"
cd "$folder"

# Prints what Spin found. -E: how a run may end is the model's own assertion.
search() {
    spin -a "${sizes[@]}" "$@" "$source"
    gcc -O2 -w -DSAFETY -DCOLLAPSE -o pan pan.c
    ./pan -E -m1000000 >result
    if grep -q "max search depth too small\|Search not completed" result &&
        ! grep -q "errors: 1" result; then
        echo "the search is not complete" >&2
        exit 1
    fi
    grep -o "errors: [0-9]*" result
}

if [ "$(search)" != "errors: 0" ]; then
    cat result
    spin -t -p -g "${sizes[@]}" "$source" | tail -n 60
    exit 1
fi
echo "$model holds: $(grep -o "[0-9]* states, stored" result)"
for mistake in "$@"; do
    if [ "$(search "-D$mistake")" = "errors: 0" ]; then
        echo "the mistake $mistake was not found" >&2
        exit 1
    fi
    echo "$mistake is found: $(sed -n 's/^pan:1: //p' result)"
done
