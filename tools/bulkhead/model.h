/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Second pass: the tree becomes a model, values with types and units, defaults filled in. Each
 * value keeps its position, so that the checks that follow can point at it.
 *
 * A key that is not there has its default and the position of the map that lacks it; a number out
 * of its range is the end of the range (language.h has both). So the checks that follow need not
 * ask again.
 *
 * A structure that a map is read into begins with the map's position.
 */
#ifndef TOOLS_BULKHEAD_MODEL_H
#define TOOLS_BULKHEAD_MODEL_H

#include "abi/plan.h"
#include "tools/bulkhead/tree.h"

struct model_text {
    const char *text; /* null: not given */
    struct position at;
};

struct model_number {
    uint64_t value;
    struct position at;
    bool given;
};

/* A list of numbers. */
#define MODEL_MAX_NUMBERS 16u
struct model_numbers {
    uint64_t values[MODEL_MAX_NUMBERS];
    struct position at;
    struct position each[MODEL_MAX_NUMBERS];
    size_t count; /* 0: not given */
};

/* A file named in the description. */
struct model_file {
    struct model_text name;
    const char *path;     /* where it was found; null if it was not */
    const uint8_t *bytes; /* mapped */
    uint64_t length;
};

/* One of partuuid, partlabel and serial says which. */
struct model_disk {
    struct position at;
    struct model_text partuuid;
    struct model_text partlabel;
    struct model_text serial;
    struct model_number number;    /* of the partition on the disk with that serial number */
    struct model_number access;    /* enum model_access */
    struct model_number bandwidth; /* bytes per second; not given: no limit */
    struct model_number iops;
};

enum model_access {
    MODEL_READ_WRITE = 0,
    MODEL_READ_ONLY = 1,
};

struct model_console {
    struct position at;
    struct model_number port;
    struct model_number escape; /* a control character */
    struct model_number colour; /* 0 or 1 */
    struct model_text first;    /* a VM's name; null: the first one */
};

struct model_vm {
    struct position at;
    struct model_text name;
    struct model_number memory; /* bytes */
    struct model_number cpu;    /* struct vmm_config's baseline */
    struct model_number vcpus;
    struct model_numbers cores; /* of vCPU 0, 1, ...; fewer than vCPUs: in turn */
    struct model_number priority;
    struct model_number budget; /* microseconds */
    struct model_number period;
    struct model_number statistics;    /* 0 or 1 */
    struct model_number restart;       /* enum supervisor_restart */
    struct model_number restart_delay; /* microseconds */
    struct model_number restart_limit;
    struct model_number watchdog;     /* microseconds; 0: none */
    struct model_number virtual_apic; /* 0 or 1 */
    struct model_text command_line;
    struct model_file kernel;
    struct model_file initrd;
    struct model_disk *disks;
    size_t nr_disks;
};

/* What the tool may assume of the machine. */
struct model_machine {
    struct position at;
    struct model_number cores;
    struct model_number memory; /* bytes */
};

struct model {
    struct position at;
    struct model_text name;
    struct model_machine machine;
    struct model_console console;
    struct model_number at_end; /* enum supervisor_end */
    struct model_number log;    /* enum server_log */
    struct model_vm *vms;
    size_t nr_vms;
};

/* Fills in what it can even if there are errors, so that later checks find more. */
void model_read(struct report *report, const struct tree *tree, struct model *model);

#endif
