#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# check_variant.sh BUILD-DIRECTORY NAME CMAKE-OPTION...: all that boots also builds, without a
# warning, in another variant: with the other compiler, or without the debug parts.
set -euo pipefail
cd "$(dirname "$0")/../.."
tree=$1/variants/$2
shift 2

cmake -G Ninja -S . -B "$tree" "$@" >/dev/null
ninja -C "$tree" --quiet bulkhead_system
echo "built: $*"
