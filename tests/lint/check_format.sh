#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Every C file is as clang-format would have it (.clang-format). `ninja -C build format` makes it so.
set -euo pipefail
cd "$(dirname "$0")/../.."

mapfile -t files < <(git -c safe.directory='*' ls-files --cached --others --exclude-standard '*.c' '*.h' |
    sort -u | while read -r file; do [ ! -f "$file" ] || echo "$file"; done)
if [ "${1:-}" = --fix ]; then
    clang-format-14 -i "${files[@]}"
else
    wrong=()
    for file in "${files[@]}"; do
        clang-format-14 --dry-run -Werror "$file" 2>/dev/null || wrong+=("$file")
    done
    if [ ${#wrong[@]} != 0 ]; then
        printf 'not formatted (ninja -C build format): %s\n' "${wrong[@]}"
        exit 1
    fi
    echo "${#files[@]} files are formatted"
fi
