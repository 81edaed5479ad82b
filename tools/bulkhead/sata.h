/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Part of the fourth pass: the SATA server, which shares the drives of one AHCI controller among
 * the VMs that have disks. Its memory, its slots and its configuration are those of
 * user/libserver/sata.h.
 */
#ifndef TOOLS_BULKHEAD_SATA_H
#define TOOLS_BULKHEAD_SATA_H

#include "tools/bulkhead/model.h"
#include "tools/bulkhead/supervisor.h"

#define SATA_NAME "sataserver"

/* A VM that has disks: the frames of its RAM, below and above the gap, and its end of the channels.
 */
struct sata_vm {
    const struct model_vm *vm;
    uint32_t ram_low;
    uint32_t ram_high; /* or 0 */
    uint64_t high_address;
    struct server_client end; /* of disk 0; the others' follow it as user/vmm/config.h says */
};

/* Returns the server as a client of the console. At least one VM. */
struct server_client compile_sata(struct supervisor *supervisor, const struct program *program,
                                  const struct sata_vm *vms, size_t nr_vms);

#endif
