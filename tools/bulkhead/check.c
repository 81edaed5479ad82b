/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/check.h"

#include <string.h>

#include "tools/bulkhead/console.h"
#include "tools/bulkhead/disk.h"
#include "tools/bulkhead/machine.h"
#include "tools/bulkhead/sata.h"
#include "tools/bulkhead/supervisor.h"
#include "tools/bulkhead/value.h"
#include "user/libserver/sata.h"
#include "user/vmm/config.h"

#define BZIMAGE_MAGIC_OFFSET 0x202u
#define BZIMAGE_MIN_BYTES    0x268u

typedef void (*vm_rule)(struct report *report, const struct model_vm *vm);

static void rule_name_is_free(struct report *report, const struct model_vm *vm)
{
    static const struct {
        const char *name;
        const char *of;
    } taken[] = {
        { CONSOLE_NAME, "console server" },
        { SATA_NAME, "disk server" },
        { SUPERVISOR_NAME, "supervisor" },
    };

    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        if (vm->name.text != NULL && strcmp(vm->name.text, taken[i].name) == 0) {
            report_error(report, vm->name.at, "'%s' is the %s; expected another name",
                         taken[i].name, taken[i].of);
        }
    }
}

static void rule_memory(struct report *report, const struct model_vm *vm)
{
    uint64_t bytes = vm->memory.value;

    if (vm->memory.given && bytes % VMM_RAM_FRAME != 0) {
        report_error(report, vm->memory.at,
                     "memory is given in multiples of 2M; expected for example %lluM",
                     (unsigned long long)((bytes / VMM_RAM_FRAME + 1) * VMM_RAM_FRAME / MEBIBYTE));
    }
}

static void rule_cores(struct report *report, const struct model_vm *vm)
{
    if (vm->cores.count > vm->vcpus.value) {
        report_error(report, vm->cores.at, "%zu cores for %llu vCPU%s; expected at most one each",
                     vm->cores.count, (unsigned long long)vm->vcpus.value,
                     vm->vcpus.value == 1 ? "" : "s");
    }
}

static void rule_time(struct report *report, const struct model_vm *vm)
{
    if (vm->period.given && vm->budget.value > vm->period.value) {
        report_error(report, vm->budget.at,
                     "the budget is greater than the period; expected at most %lluus",
                     (unsigned long long)vm->period.value);
    }
}

static void rule_command_line(struct report *report, const struct model_vm *vm)
{
    for (const char *at = vm->command_line.text; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ') {
            report_error(report, vm->command_line.at,
                         "the command line has a control character; expected one line of text");
            return;
        }
    }
}

static void rule_kernel(struct report *report, const struct model_vm *vm)
{
    const struct model_file *file = &vm->kernel;

    if (file->path == NULL) {
        return;
    }
    if (file->length > VMM_INITRD_VADDR - VMM_KERNEL_VADDR) {
        report_error(report, file->name.at, "'%s' is larger than a kernel may be, 512M",
                     file->path);
    } else if (file->length < BZIMAGE_MIN_BYTES ||
               memcmp(file->bytes + BZIMAGE_MAGIC_OFFSET, "HdrS", 4) != 0) {
        report_error(report, file->name.at, "'%s' is not a Linux kernel; expected a bzImage",
                     file->path);
    }
}

static void rule_initrd(struct report *report, const struct model_vm *vm)
{
    const struct model_file *file = &vm->initrd;

    if (file->path != NULL && file->length > VMM_RAM_VADDR - VMM_INITRD_VADDR) {
        report_error(report, file->name.at, "'%s' is larger than a RAM disk may be, 3G",
                     file->path);
    }
}

/* The monitor copies both into guest RAM; a kernel unpacks to several times its size. */
static void rule_images_fit(struct report *report, const struct model_vm *vm)
{
    uint64_t bytes = vm->kernel.length * 4 + vm->initrd.length;

    if (vm->memory.given && bytes > vm->memory.value) {
        report_error(report, vm->memory.at,
                     "the guest's kernel and RAM disk need more memory; expected at least %lluM",
                     (unsigned long long)(bytes / VMM_RAM_FRAME + 1) * 2);
    }
}

static const vm_rule vm_rules[] = {
    rule_name_is_free, rule_memory, rule_cores,  rule_time,
    rule_command_line, rule_kernel, rule_initrd, rule_images_fit,
};

/* All disks of all VMs. */
static void rule_disk_server(struct report *report, const struct model *model)
{
    size_t before = 0;

    for (size_t i = 0; i < model->nr_vms; i++) {
        const struct model_vm *vm = &model->vms[i];

        if (before <= SATA_MAX_CLIENTS && before + vm->nr_disks > SATA_MAX_CLIENTS) {
            report_error(report, vm->disks[SATA_MAX_CLIENTS - before].at,
                         "too many disks; expected at most %u in all VMs together",
                         SATA_MAX_CLIENTS);
        }
        before += vm->nr_disks;
    }
}

static void rule_names_differ(struct report *report, const struct model *model)
{
    for (size_t i = 1; i < model->nr_vms; i++) {
        const struct model_text *name = &model->vms[i].name;

        for (size_t j = 0; name->text != NULL && j < i; j++) {
            const struct model_text *other = &model->vms[j].name;

            if (other->text != NULL && strcmp(name->text, other->text) == 0) {
                report_error(report, name->at,
                             "the VM in line %u is called '%s', too; "
                             "expected another name",
                             other->at.line, name->text);
                break;
            }
        }
    }
}

static void rule_first_vm(struct report *report, const struct model *model)
{
    const struct model_text *first = &model->console.first;

    for (size_t i = 0; i < model->nr_vms; i++) {
        const char *name = model->vms[i].name.text;

        if (first->text == NULL || (name != NULL && strcmp(name, first->text) == 0)) {
            return;
        }
    }
    if (first->text != NULL) {
        report_error(report, first->at, "there is no VM '%s'; expected the name of one",
                     first->text);
    }
}

/* A core's time that VMs are promised, in millionths; round-robin ones are promised none. */
static uint64_t promised(const struct model_vm *vm, uint64_t core)
{
    uint64_t threads = 0;

    for (uint64_t i = 0; vm->cores.count != 0 && i < vm->vcpus.value && i < VMM_MAX_VCPUS; i++) {
        threads += vm->cores.values[i % vm->cores.count] == core;
    }
    if (vm->budget.value >= vm->period.value) {
        return 0;
    }
    return threads * (vm->budget.value * 1000000 / vm->period.value);
}

static void rule_core_is_enough(struct report *report, const struct model *model, uint64_t core)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < model->nr_vms; i++) {
        uint64_t share = promised(&model->vms[i], core);

        sum += share;
        if (sum > 1000000 && share != 0) {
            report_error(report, model->vms[i].budget.at,
                         "with this one the budgets on core %llu add up to %llu %% of its time; "
                         "expected at most 100 %%",
                         (unsigned long long)core, (unsigned long long)(sum + 9999) / 10000);
            return;
        }
    }
}

static void rule_cores_are_enough(struct report *report, const struct model *model)
{
    for (uint64_t core = 0; core < MACHINE_MAX_CORES; core++) {
        rule_core_is_enough(report, model, core);
    }
}

void check_model(struct report *report, const struct model *model)
{
    rule_disk_server(report, model);
    rule_names_differ(report, model);
    rule_first_vm(report, model);
    rule_cores_are_enough(report, model);
    disk_check_names(report, model);
    machine_check(report, model);
    for (size_t i = 0; i < model->nr_vms; i++) {
        for (size_t rule = 0; rule < sizeof(vm_rules) / sizeof(vm_rules[0]); rule++) {
            vm_rules[rule](report, &model->vms[i]);
        }
    }
}
