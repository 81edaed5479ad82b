#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Runs shellcheck over every shell script, by its first line.
set -euo pipefail
cd "$(dirname "$0")/../.."

mapfile -t files < <(git -c safe.directory='*' ls-files --cached --others --exclude-standard | sort -u |
    while read -r file; do
        [ -f "$file" ] && head -c 40 "$file" | head -n 1 | grep -aqE '^#!/bin/(ba)?sh' && echo "$file"
    done)
# SC1091, SC2154: the checked file alone does not show what another one defines. SC2317: it takes
# functions that are called by a name in a variable for unreachable.
shellcheck -e SC1091,SC2154,SC2317 "${files[@]}"
echo "shellcheck has nothing to say about ${#files[@]} scripts"
