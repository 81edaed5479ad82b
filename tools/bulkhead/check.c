/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/check.h"

#include <ctype.h>
#include <string.h>

#include "tools/bulkhead/console.h"
#include "tools/bulkhead/disk.h"
#include "tools/bulkhead/machine.h"
#include "tools/bulkhead/sata.h"
#include "user/libserver/disk.h"
#include "user/libserver/sata.h"
#include "user/libserver/server.h"
#include "user/vmm/config.h"

#define MAX_VMS       SERVER_MAX_CLIENTS
#define MAX_PRIORITY  253u /* servers run above */
#define MIN_BUDGET_US 20u
#define MAX_PERIOD_US (3600ull * 1000000)
#define MAX_PARTITION 1000u /* more than a table has */
#define MEBIBYTE      (1ull << 20)
#define MAX_BANDWIDTH (1024ull * 1024 * MEBIBYTE)
#define MIN_IOPS      10u /* a guest that waits for minutes thinks that its disk has died */
#define MAX_IOPS      1000000u

#define BZIMAGE_MAGIC_OFFSET 0x202u
#define BZIMAGE_MIN_BYTES    0x268u

typedef void (*vm_rule)(struct report *report, const struct model_vm *vm);

/* Where a key's value is, or the VM that lacks the key. */
static void rule_name_length(struct report *report, const struct model_vm *vm)
{
    if (vm->name.text != NULL && strlen(vm->name.text) >= VMM_NAME_BYTES) {
        report_error(report, vm->name.at, "the name has %zu characters; expected at most %u",
                     strlen(vm->name.text), VMM_NAME_BYTES - 1);
    }
}

static void rule_name_is_free(struct report *report, const struct model_vm *vm)
{
    if (vm->name.text != NULL && strcmp(vm->name.text, CONSOLE_NAME) == 0) {
        report_error(report, vm->name.at, "'%s' is the console server; expected another name",
                     CONSOLE_NAME);
    }
    if (vm->name.text != NULL && strcmp(vm->name.text, SATA_NAME) == 0) {
        report_error(report, vm->name.at, "'%s' is the disk server; expected another name",
                     SATA_NAME);
    }
}

static void rule_memory(struct report *report, const struct model_vm *vm)
{
    uint64_t bytes = vm->memory.value;

    if (!vm->memory.given) {
        return;
    }
    if (bytes < VMM_RAM_MIN || bytes > VMM_RAM_MAX) {
        report_error(report, vm->memory.at, "a VM has %lluM to %lluG of memory",
                     VMM_RAM_MIN / MEBIBYTE, VMM_RAM_MAX / MEBIBYTE / 1024);
    } else if (bytes % VMM_RAM_FRAME != 0) {
        report_error(report, vm->memory.at,
                     "memory is given in multiples of 2M; expected for example %lluM",
                     (unsigned long long)((bytes / VMM_RAM_FRAME + 1) * VMM_RAM_FRAME / MEBIBYTE));
    }
}

static void rule_vcpus(struct report *report, const struct model_vm *vm)
{
    if (vm->vcpus.value < 1 || vm->vcpus.value > VMM_MAX_VCPUS) {
        report_error(report, vm->vcpus.at, "a VM has 1 to %u vCPUs", VMM_MAX_VCPUS);
    }
}

static void rule_cores(struct report *report, const struct model_vm *vm)
{
    if (vm->cores.count > vm->vcpus.value) {
        report_error(report, vm->cores.at, "%zu cores for %llu vCPU%s; expected at most one each",
                     vm->cores.count, (unsigned long long)vm->vcpus.value,
                     vm->vcpus.value == 1 ? "" : "s");
    }
    for (size_t i = 0; i < vm->cores.count; i++) {
        if (vm->cores.values[i] >= MACHINE_MAX_CORES) {
            report_error(report, vm->cores.each[i], "expected a core from 0 to %u",
                         MACHINE_MAX_CORES - 1);
        }
    }
}

static void rule_priority(struct report *report, const struct model_vm *vm)
{
    if (vm->priority.value < 1 || vm->priority.value > MAX_PRIORITY) {
        report_error(report, vm->priority.at, "expected a priority from 1 to %u", MAX_PRIORITY);
    }
}

static void rule_time(struct report *report, const struct model_vm *vm)
{
    if (vm->budget.given && !vm->period.given) {
        report_error(report, vm->budget.at, "a budget needs a 'period' in which it is available");
        return;
    }
    if (vm->period.value > MAX_PERIOD_US) {
        report_error(report, vm->period.at, "the period is longer than an hour; expected less");
    } else if (vm->budget.value > vm->period.value) {
        report_error(report, vm->budget.at,
                     "the budget is greater than the period; expected at most %lluus",
                     (unsigned long long)vm->period.value);
    } else if (vm->budget.value < MIN_BUDGET_US) {
        report_error(report, vm->budget.given ? vm->budget.at : vm->period.at,
                     "expected at least %uus", MIN_BUDGET_US);
    }
}

static void rule_command_line(struct report *report, const struct model_vm *vm)
{
    size_t length = strlen(vm->command_line.text);

    if (length >= VMM_COMMAND_LINE_BYTES) {
        report_error(report, vm->command_line.at,
                     "the command line has %zu characters; expected at most %u", length,
                     VMM_COMMAND_LINE_BYTES - 1);
    }
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

static void rule_number_of_disks(struct report *report, const struct model_vm *vm)
{
    if (vm->nr_disks > VMM_MAX_DISKS) {
        report_error(report, vm->disks[VMM_MAX_DISKS].at,
                     "too many disks of one VM; expected at most %u", VMM_MAX_DISKS);
    }
}

/* As GPT has them, or what Linux makes of an MBR's partitions: 1234abcd-01. */
static bool is_uuid(const char *text)
{
    static const char *const shapes[] = { "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "xxxxxxxx-xx" };

    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        const char *shape = shapes[i], *at = text;

        while (*shape != '\0' && (*shape == 'x' ? isxdigit((unsigned char)*at) : *at == '-')) {
            shape++;
            at++;
        }
        if (*shape == '\0' && *at == '\0') {
            return true;
        }
    }
    return false;
}

static void rule_disk_name(struct report *report, const struct model_disk *disk)
{
    unsigned given = (disk->partuuid.text != NULL) + (disk->partlabel.text != NULL) +
                     (disk->serial.text != NULL);

    if (given != 1) {
        report_error(report, disk->at,
                     "%s says which disk it is; expected one of 'partuuid', 'partlabel' and "
                     "'serial'",
                     given == 0 ? "nothing" : "more than one key");
    }
    if (disk->partuuid.text != NULL && !is_uuid(disk->partuuid.text)) {
        report_error(report, disk->partuuid.at,
                     "'%s' is no UUID of a partition; expected one such as "
                     "01234567-89ab-cdef-0123-456789abcdef, or 01234567-01 of an MBR",
                     disk->partuuid.text);
    }
}

static void rule_disk_text(struct report *report, const struct model_text *text, size_t most)
{
    if (text->text != NULL && (*text->text == '\0' || strlen(text->text) > most)) {
        report_error(report, text->at, "expected 1 to %zu characters, found %zu", most,
                     strlen(text->text));
    }
}

static void rule_disk_number(struct report *report, const struct model_disk *disk)
{
    if (!disk->number.given) {
        return;
    }
    if (disk->serial.text == NULL) {
        report_error(report, disk->number.at, "a number needs the 'serial' of the disk it is on");
    } else if (disk->number.value < 1 || disk->number.value > MAX_PARTITION) {
        report_error(report, disk->number.at, "expected a partition from 1 to %u", MAX_PARTITION);
    }
}

static void rule_disk_limits(struct report *report, const struct model_disk *disk)
{
    if (disk->bandwidth.given &&
        (disk->bandwidth.value < MEBIBYTE || disk->bandwidth.value > MAX_BANDWIDTH)) {
        report_error(report, disk->bandwidth.at, "expected a bandwidth from 1M to 1024G a second");
    }
    if (disk->iops.given && (disk->iops.value < MIN_IOPS || disk->iops.value > MAX_IOPS)) {
        report_error(report, disk->iops.at, "expected %u to %u requests a second", MIN_IOPS,
                     MAX_IOPS);
    }
}

static void rule_disks(struct report *report, const struct model_vm *vm)
{
    for (size_t i = 0; i < vm->nr_disks; i++) {
        const struct model_disk *disk = &vm->disks[i];

        rule_disk_name(report, disk);
        rule_disk_text(report, &disk->partlabel, SATA_TEXT_BYTES - 1);
        rule_disk_text(report, &disk->serial, DISK_SERIAL_BYTES);
        rule_disk_number(report, disk);
        rule_disk_limits(report, disk);
    }
}

static const vm_rule vm_rules[] = {
    rule_name_length, rule_name_is_free, rule_memory,          rule_vcpus,  rule_cores,
    rule_priority,    rule_time,         rule_command_line,    rule_kernel, rule_initrd,
    rule_images_fit,  rule_disks,        rule_number_of_disks,
};

/* All disks of all VMs. */
static size_t count_disks(const struct model *model)
{
    size_t count = 0;

    for (size_t i = 0; i < model->nr_vms; i++) {
        count += model->vms[i].nr_disks;
    }
    return count;
}

static void rule_disk_server(struct report *report, const struct model *model)
{
    size_t before = 0;

    for (size_t i = 0; i < model->nr_vms; i++) {
        const struct model_vm *vm = &model->vms[i];

        if (before <= SERVER_MAX_CLIENTS && before + vm->nr_disks > SERVER_MAX_CLIENTS) {
            report_error(report, vm->disks[SERVER_MAX_CLIENTS - before].at,
                         "too many disks; expected at most %u in all VMs together",
                         SERVER_MAX_CLIENTS);
        }
        before += vm->nr_disks;
    }
}

static void rule_number_of_vms(struct report *report, const struct model *model)
{
    /* The disk server uses the console, too. */
    size_t most = count_disks(model) == 0 ? MAX_VMS : MAX_VMS - 1;

    if (model->nr_vms > most) {
        report_error(report, model->vms[most].at, "too many VMs; expected at most %zu", most);
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

/* A core's time that VMs are promised, in millionths; round-robin ones are promised none. */
static uint64_t promised(const struct model_vm *vm, uint64_t core)
{
    uint64_t threads = 0;

    for (uint64_t i = 0; vm->cores.count != 0 && i < vm->vcpus.value && i < VMM_MAX_VCPUS; i++) {
        threads += vm->cores.values[i % vm->cores.count] == core;
    }
    if (vm->period.value == 0 || vm->period.value > MAX_PERIOD_US ||
        vm->budget.value >= vm->period.value) {
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
    rule_number_of_vms(report, model);
    rule_disk_server(report, model);
    rule_names_differ(report, model);
    rule_cores_are_enough(report, model);
    disk_check_names(report, model);
    machine_check(report, model);
    for (size_t i = 0; i < model->nr_vms; i++) {
        for (size_t rule = 0; rule < sizeof(vm_rules) / sizeof(vm_rules[0]); rule++) {
            vm_rules[rule](report, &model->vms[i]);
        }
    }
}
