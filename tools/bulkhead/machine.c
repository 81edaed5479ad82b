/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/machine.h"

#include "tools/bulkhead/value.h"
#include "user/vmm/config.h"

/* Kernel, firmware, init with its 2^17 capabilities, servers. */
#define RESERVE_BYTES (64 * MEBIBYTE)
/* A monitor with its objects for 16 vCPUs. */
#define RESERVE_VM_BYTES (2 * MEBIBYTE)
/* Two sets of paging structures, 8 bytes for each 2 MiB. */
#define PAGING_BYTES(ram) ((ram) / VMM_RAM_FRAME * 16)

/* Machines without a description of theirs: no less, and in such steps. */
#define USUAL_BYTES (2048 * MEBIBYTE)
#define STEP_BYTES  (512 * MEBIBYTE)

static uint64_t vm_bytes(const struct model_vm *vm)
{
    uint64_t ram = vm->memory.value;

    return ram + PAGING_BYTES(ram) + RESERVE_VM_BYTES + vm->kernel.length + vm->initrd.length;
}

static uint64_t cores_used(const struct model_vm *vm)
{
    uint64_t cores = 1; /* core 0 is the servers' */

    for (size_t i = 0; i < vm->cores.count; i++) {
        cores = vm->cores.values[i] >= cores ? vm->cores.values[i] + 1 : cores;
    }
    return cores;
}

struct machine machine_needed(const struct model *model)
{
    struct machine needed = { .cores = 1, .memory = RESERVE_BYTES };

    for (size_t i = 0; i < model->nr_vms; i++) {
        uint64_t cores = cores_used(&model->vms[i]);

        needed.cores = cores > needed.cores ? cores : needed.cores;
        needed.memory += vm_bytes(&model->vms[i]);
    }
    return needed;
}

struct machine machine_assumed(const struct model *model)
{
    struct machine machine = machine_needed(model);

    machine.memory = (machine.memory + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES;
    machine.memory = machine.memory < USUAL_BYTES ? USUAL_BYTES : machine.memory;
    if (model->machine.cores.given) {
        machine.cores = model->machine.cores.value;
    }
    if (model->machine.memory.given) {
        machine.memory = model->machine.memory.value;
    }
    return machine;
}

/* --- Rules -------------------------------------------------------------------------------------
 */

/* A VM that names no cores has one for each vCPU. */
static void rule_cores_exist(struct report *report, const struct model *model,
                             const struct model_vm *vm)
{
    const struct model_number *cores = &model->machine.cores;

    for (size_t i = 0; cores->given && i < vm->cores.count; i++) {
        if (vm->cores.values[i] >= cores->value) {
            report_error(report, vm->cores.each[i],
                         "vCPU %zu runs on core %llu and the machine has %llu, numbered from 0 "
                         "(line %u); expected other 'cores'",
                         i, (unsigned long long)vm->cores.values[i],
                         (unsigned long long)cores->value, cores->at.line);
        }
    }
}

/* At the VM with which it becomes too much. */
static void rule_memory_is_enough(struct report *report, const struct model *model)
{
    const struct model_number *memory = &model->machine.memory;
    uint64_t needed = machine_needed(model).memory, sum = RESERVE_BYTES;

    for (size_t i = 0; memory->given && i < model->nr_vms; i++) {
        sum += vm_bytes(&model->vms[i]);
        if (sum > memory->value) {
            report_error(report, model->vms[i].memory.at,
                         "the system needs %lluM of memory in all and the machine has %lluM "
                         "(line %u); expected %lluM less",
                         (unsigned long long)(needed / MEBIBYTE + 1),
                         (unsigned long long)(memory->value / MEBIBYTE), memory->at.line,
                         (unsigned long long)((needed - memory->value) / MEBIBYTE + 1));
            return;
        }
    }
}

void machine_check(struct report *report, const struct model *model)
{
    rule_memory_is_enough(report, model);
    for (size_t i = 0; i < model->nr_vms; i++) {
        rule_cores_exist(report, model, &model->vms[i]);
    }
}
