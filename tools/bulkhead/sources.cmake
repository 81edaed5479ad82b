# SPDX-License-Identifier: BSD-2-Clause
#
# All of the host program but its command line, by paths from the root: tests are made of it, too.

set(BULKHEAD_TOOL_SOURCES
    tools/bulkhead/arena.c tools/bulkhead/report.c tools/bulkhead/tree.c tools/bulkhead/value.c
    tools/bulkhead/language.c tools/bulkhead/model.c tools/bulkhead/file.c tools/bulkhead/check.c
    tools/bulkhead/machine.c tools/bulkhead/program.c
    tools/bulkhead/builder.c tools/bulkhead/compile.c
    tools/bulkhead/server.c tools/bulkhead/supervisor.c
    tools/bulkhead/console.c tools/bulkhead/sata.c
    tools/bulkhead/emit.c tools/bulkhead/graph.c tools/bulkhead/disk.c
    tools/bulkhead/iso.c tools/bulkhead/process.c tools/bulkhead/schema.c
    tools/bulkhead/names.c tools/bulkhead/listing.c tools/bulkhead/audit.c
    user/init/plan.c user/init/plan_check.c
    lib/partition.c lib/gpt.c lib/mbr.c lib/crc32.c lib/format.c)
