/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/compile.h"

#include <string.h>

#include "abi/bootinfo.h"
#include "tools/bulkhead/console.h"
#include "tools/bulkhead/sata.h"
#include "tools/bulkhead/supervisor.h"
#include "user/init/plan_check.h"
#include "user/libserver/console.h"
#include "user/libserver/disk.h"
#include "user/vmm/config.h"

/* Where init fills frames: in a PML4 entry of its own, far from the image and what follows it. */
#define SCRATCH_ADDRESS (1ull << 39)

#define LAST_CNODE_BITS 1u

/* Slots of the initial CNode that others than the plan and the image use: a generous guess. */
#define BOOT_SLOTS 1024u

_Static_assert(SUPERVISOR_MAX_THREADS == VMM_MAX_VCPUS, "the supervisor can hold all threads");
_Static_assert(MODEL_MAX_NUMBERS >= VMM_MAX_VCPUS, "each vCPU can be given its core");

/* What each vCPU has. */
struct vcpu_build {
    uint32_t tcb;
    uint32_t vcpu;
    uint32_t notification;
    uint32_t turn;
    uint32_t context;
    uint32_t buffer_frame;
};

/* One VM on its way into the builder. */
struct vm_build {
    struct builder *builder;
    const struct model_vm *vm;
    uint32_t owner;
    struct supervisor *supervisor;
    uint32_t cnode;
    uint32_t vspace;
    uint32_t ept;
    uint32_t fault_endpoint;
    struct vcpu_build vcpus[VMM_MAX_VCPUS];
    unsigned nr_vcpus;
    uint32_t config_frame;
    uint32_t kernel;
    uint32_t initrd;
    uint32_t ram_low;
    uint32_t ram_high;
};

static const char *part_name(struct vm_build *build, const char *part)
{
    return arena_format(build->builder->arena, "%s.%s", build->vm->name.text, part);
}

static uint32_t vm_object(struct vm_build *build, const char *part, uint8_t type, uint8_t size_bits,
                          uint64_t count)
{
    return builder_object(build->builder, build->owner, part_name(build, part), type, size_bits,
                          count);
}

/* Bytes of guest RAM below and above the gap for device registers. */
static uint64_t ram_low_bytes(const struct model_vm *vm)
{
    return vm->memory.value < VMM_RAM_LOW_MAX ? vm->memory.value : VMM_RAM_LOW_MAX;
}

static uint64_t ram_high_bytes(const struct model_vm *vm)
{
    return vm->memory.value - ram_low_bytes(vm);
}

static uint32_t vcpu_object(struct vm_build *build, const char *part, unsigned index, uint8_t type,
                            uint8_t size_bits)
{
    return vm_object(build, arena_format(build->builder->arena, "%s-%u", part, index), type,
                     size_bits, 1);
}

static void vcpu_make_objects(struct vm_build *build, unsigned index)
{
    build->vcpus[index] = (struct vcpu_build){
        .vcpu = vcpu_object(build, "vcpu", index, seL4_X86_VCPUObject, 0),
        .buffer_frame = vcpu_object(build, "ipc-buffer", index, seL4_X86_4K, 0),
        .tcb = vcpu_object(build, "tcb", index, seL4_TCBObject, 0),
        .context =
            vcpu_object(build, "sched-context", index, seL4_SchedContextObject, CONTEXT_BITS),
        .notification = vcpu_object(build, "notification", index, seL4_NotificationObject, 0),
        .turn = vcpu_object(build, "turn", index, seL4_NotificationObject, 0),
    };
}

static void vm_make_objects(struct vm_build *build)
{
    const struct model_vm *vm = build->vm;

    build->ram_low =
        vm_object(build, "ram", seL4_X86_LargePageObject, 0, ram_low_bytes(vm) / VMM_RAM_FRAME);
    if (ram_high_bytes(vm) != 0) {
        build->ram_high = vm_object(build, "ram-high", seL4_X86_LargePageObject, 0,
                                    ram_high_bytes(vm) / VMM_RAM_FRAME);
    }
    build->cnode = vm_object(build, "cnode", seL4_CapTableObject, VMM_CNODE_RADIX, 1);
    build->vspace = vm_object(build, "vspace", seL4_X64_PML4Object, 0, 1);
    build->ept = vm_object(build, "ept", seL4_X86_EPTPML4Object, 0, 1);
    build->config_frame = vm_object(build, "config", seL4_X86_4K, 0, 1);
    for (unsigned i = 0; i < build->nr_vcpus; i++) {
        vcpu_make_objects(build, i);
    }
    build->kernel = builder_image(build->builder, build->owner, part_name(build, "kernel"),
                                  vm->kernel.bytes, vm->kernel.length);
    build->initrd = builder_image(build->builder, build->owner, part_name(build, "initrd"),
                                  vm->initrd.bytes, vm->initrd.length);
}

static uint64_t core_of(const struct model_vm *vm, size_t index)
{
    return vm->cores.values[index % vm->cores.count];
}

/* Whether the VM promises its vCPUs less than all of their cores' time. */
static bool is_limited(const struct model_vm *vm)
{
    return vm->budget.value < vm->period.value;
}

/*
 * The vCPUs that take turns on a core with others of the VM: bit i for vCPU i. With a limited
 * budget there are no turns: who gives up the rest of one loses it.
 */
static uint32_t yielding_vcpus(const struct model_vm *vm)
{
    uint32_t set = 0;

    for (size_t i = 0; !is_limited(vm) && i < vm->vcpus.value; i++) {
        for (size_t j = 0; j < vm->vcpus.value; j++) {
            if (i != j && core_of(vm, i) == core_of(vm, j)) {
                set |= 1u << i;
            }
        }
    }
    return set;
}

static uint32_t vm_flags(const struct model_vm *vm)
{
    return (vm->statistics.value != 0 ? VMM_FLAG_STATISTICS : 0) |
           (vm->virtual_apic.value == 0 ? VMM_FLAG_SOFTWARE_APIC : 0);
}

static void vm_write_config(struct vm_build *build)
{
    const struct model_vm *vm = build->vm;
    struct vmm_config config = {
        .magic = VMM_CONFIG_MAGIC,
        .version = VMM_CONFIG_VERSION,
        .nr_vcpus = (uint32_t)vm->vcpus.value,
        .ram_bytes = vm->memory.value,
        .kernel_bytes = vm->kernel.length,
        .initrd_bytes = vm->initrd.length,
        .flags = vm_flags(vm),
        .nr_disks = (uint32_t)vm->nr_disks,
        .yielding = yielding_vcpus(vm),
        .baseline = (uint32_t)vm->cpu.value,
        .watchdog_ms = (uint32_t)(vm->watchdog.value / 1000),
    };

    /* The checks have seen to it that both fit. */
    memcpy(config.name, vm->name.text, strlen(vm->name.text));
    memcpy(config.command_line, vm->command_line.text, strlen(vm->command_line.text));
    builder_fill(build->builder, build->config_frame, &config, sizeof(config));
    builder_fill_tsc_mhz(build->builder, build->config_frame, offsetof(struct vmm_config, tsc_mhz));
    builder_fill_boot_time(build->builder, build->config_frame,
                           offsetof(struct vmm_config, boot_time));
}

static uint64_t buffer_address(unsigned index)
{
    return VMM_IPC_BUFFER_VADDR + (uint64_t)index * PLAN_PAGE_BYTES;
}

static void vm_map_frames(struct vm_build *build)
{
    struct builder *builder = build->builder;
    uint16_t data = page_attributes(false);

    builder_map(builder, build->vspace, build->config_frame, VMM_CONFIG_VADDR, RIGHT_READ, data);
    for (unsigned i = 0; i < build->nr_vcpus; i++) {
        builder_map(builder, build->vspace, build->vcpus[i].buffer_frame, buffer_address(i),
                    RIGHT_READ | RIGHT_WRITE, data);
    }
    builder_map(builder, build->vspace, build->kernel, VMM_KERNEL_VADDR, RIGHT_READ, data);
    builder_map(builder, build->vspace, build->initrd, VMM_INITRD_VADDR, RIGHT_READ, data);
    builder_map(builder, build->vspace, build->ram_low, VMM_RAM_VADDR, RIGHT_READ | RIGHT_WRITE,
                data);
    builder_map(builder, build->vspace, build->ram_high, VMM_RAM_VADDR + VMM_RAM_HIGH_BASE,
                RIGHT_READ | RIGHT_WRITE, data);
}

/* Each frame of RAM is mapped twice, and a capability maps once: the guest's side takes copies. */
static void vm_map_guest(struct vm_build *build, uint32_t ram, uint64_t address)
{
    if (ram != 0) {
        builder_map(build->builder, build->ept, builder_copy(build->builder, ram, RIGHTS_ALL, 0),
                    address, RIGHT_READ | RIGHT_WRITE, seL4_X86_EPT_WriteBack);
    }
}

static void vm_make_paging(struct vm_build *build, const struct program *program)
{
    const struct model_vm *vm = build->vm;
    uint64_t low = ram_low_bytes(vm), high = ram_high_bytes(vm);
    uint64_t high_base = VMM_RAM_VADDR + VMM_RAM_HIGH_BASE;
    const struct builder_range own[] = {
        { program->segments[0].address, program_end(program), seL4_PageBits },
        { VMM_CONFIG_VADDR, buffer_address(build->nr_vcpus), seL4_PageBits },
        { VMM_CONSOLE_VADDR, VMM_CONSOLE_VADDR + sizeof(struct console_channel), seL4_PageBits },
        { VMM_DISK_VADDR, VMM_DISK_VADDR + vm->nr_disks * VMM_DISK_SPAN, seL4_PageBits },
        { VMM_KERNEL_VADDR, VMM_KERNEL_VADDR + vm->kernel.length, seL4_PageBits },
        { VMM_INITRD_VADDR, VMM_INITRD_VADDR + vm->initrd.length, seL4_PageBits },
        { VMM_RAM_VADDR, VMM_RAM_VADDR + low, seL4_LargePageBits },
        { high_base, high_base + high, seL4_LargePageBits },
    };
    const struct builder_range guest[] = {
        { 0, low, seL4_LargePageBits },
        { VMM_RAM_HIGH_BASE, VMM_RAM_HIGH_BASE + high, seL4_LargePageBits },
    };

    builder_paging(build->builder, build->owner, part_name(build, "vspace.paging"), build->vspace,
                   false, own, sizeof(own) / sizeof(own[0]));
    builder_paging(build->builder, build->owner, part_name(build, "ept.paging"), build->ept, true,
                   guest, sizeof(guest) / sizeof(guest[0]));
    vm_map_guest(build, build->ram_low, 0);
    vm_map_guest(build, build->ram_high, VMM_RAM_HIGH_BASE);
}

static void vcpu_give(struct vm_build *build, unsigned index, enum vmm_vcpu_slot which,
                      uint32_t source, uint64_t rights, uint64_t badge)
{
    builder_cap(build->builder, build->cnode, VMM_VCPU_SLOT(index, which), source, rights, badge);
}

static void vm_give_caps(struct vm_build *build)
{
    struct builder *builder = build->builder;

    for (unsigned i = 0; i < build->nr_vcpus; i++) {
        const struct vcpu_build *vcpu = &build->vcpus[i];

        vcpu_give(build, i, VMM_VCPU_VCPU, vcpu->vcpu, RIGHTS_ALL, 0);
        vcpu_give(build, i, VMM_VCPU_NOTIFICATION, vcpu->notification, RIGHT_READ | RIGHT_WRITE,
                  VMM_BADGE_KICK);
        vcpu_give(build, i, VMM_VCPU_TURN, vcpu->turn, RIGHT_READ | RIGHT_WRITE, 0);
    }
    builder_cap(builder, build->cnode, VMM_SLOT_SUPERVISOR_EP, build->supervisor->endpoint,
                RIGHT_WRITE, build->owner);
}

static void vm_make_thread(struct vm_build *build, const struct program *program, unsigned index)
{
    const struct model_vm *vm = build->vm;
    const struct vcpu_build *vcpu = &build->vcpus[index];
    builder_context(build->builder, (struct plan_context){
                                        .slot = vcpu->context,
                                        .core = (uint32_t)core_of(vm, index),
                                        .budget_us = vm->budget.value,
                                        .period_us = vm->period.value,
                                        .extra_refills = is_limited(vm) ? EXTRA_REFILLS : 0,
                                        .badge = build->owner,
                                    });
    builder_thread(build->builder,
                   (struct plan_thread){
                       .name = builder_string(
                           build->builder,
                           part_name(build, arena_format(build->builder->arena, "vmm-%u", index))),
                       .owner = build->owner,
                       .tcb = vcpu->tcb,
                       .cnode = build->cnode,
                       .cnode_bits = VMM_CNODE_RADIX,
                       .vspace = build->vspace,
                       .buffer_frame = vcpu->buffer_frame,
                       .buffer_address = buffer_address(index),
                       .fault_endpoint = build->fault_endpoint,
                       .context = vcpu->context,
                       .notification = vcpu->notification,
                       .vcpu = vcpu->vcpu,
                       .ept = build->ept,
                       .rip = program->entry,
                       .rdi = index,
                       .priority = (uint32_t)vm->priority.value,
                       .max_priority = (uint32_t)vm->priority.value,
                   });
}

/* The VM's end of its channel to the console. */
static struct server_client vm_as_console_client(const struct vm_build *build)
{
    return (struct server_client){
        .name = build->vm->name.text,
        .owner = build->owner,
        .vspace = build->vspace,
        .cnode = build->cnode,
        .notification = build->vcpus[0].notification,
        .address = VMM_CONSOLE_VADDR,
        .slot = VMM_SLOT_CONSOLE,
        .badge = VMM_BADGE_SERIAL,
    };
}

/* Its end of the channel of its first disk, and its RAM. */
static struct sata_vm vm_as_sata_client(const struct vm_build *build)
{
    return (struct sata_vm){
        .vm = build->vm,
        .ram_low = build->ram_low,
        .ram_high = build->ram_high,
        .high_address = VMM_RAM_HIGH_BASE,
        .end = {
            .name = build->vm->name.text,
            .owner = build->owner,
            .vspace = build->vspace,
            .cnode = build->cnode,
            .notification = build->vcpus[0].notification,
            .address = VMM_DISK_VADDR,
            .slot = VMM_SLOT_DISK,
            .badge = VMM_BADGE_DISK(0),
        },
    };
}

static struct vm_build compile_vm(struct builder *builder, const struct model_vm *vm,
                                  struct supervisor *supervisor, const struct program *program)
{
    struct vm_build build = {
        .builder = builder,
        .vm = vm,
        .supervisor = supervisor,
        .nr_vcpus = (unsigned)vm->vcpus.value,
    };

    build.owner = builder_component(builder, vm->name.text, PLAN_COMPONENT_VM);
    vm_make_objects(&build);
    load_program(builder, build.owner, build.vspace, part_name(&build, "vmm"), program);
    vm_write_config(&build);
    vm_map_frames(&build);
    vm_make_paging(&build, program);
    vm_give_caps(&build);
    build.fault_endpoint =
        builder_copy(builder, supervisor->endpoint, RIGHT_WRITE | RIGHT_GRANT_REPLY,
                     build.owner | PLAN_BADGE_FAULT);
    supervisor_begin_vm(supervisor, vm, build.owner);
    for (unsigned i = 0; i < build.nr_vcpus; i++) {
        vm_make_thread(&build, program, i);
        supervisor_add_thread(supervisor, build.vcpus[i].tcb);
    }
    return build;
}

/* --- init's own part ---------------------------------------------------------------------------
 */

static void compile_init(struct builder *builder, const struct model *model)
{
    static const struct builder_range scratch = { SCRATCH_ADDRESS,
                                                  SCRATCH_ADDRESS + PLAN_PAGE_BYTES,
                                                  seL4_PageBits };

    builder->header.name = builder_string(builder, model->name.text);
    builder->header.scratch_address = SCRATCH_ADDRESS;
    builder->header.last_cnode = builder_object(builder, PLAN_OWNER_INIT, "init.last-cnode",
                                                seL4_CapTableObject, LAST_CNODE_BITS, 1);
    builder->header.last_cnode_bits = LAST_CNODE_BITS;
    builder_paging(builder, PLAN_OWNER_INIT, "init.paging", PLAN_SLOT_INIT_VSPACE, false, &scratch,
                   1);
}

/* --- Limits ------------------------------------------------------------------------------------
 */

static bool check_slot_limit(struct report *report, const struct model *model,
                             const struct plan_header *header, const struct program *init)
{
    uint64_t own = (program_end(init) - init->segments[0].address) / PLAN_PAGE_BYTES;
    uint64_t pages = own + header->image_bytes / PLAN_PAGE_BYTES;
    uint64_t slots = BOOT_SLOTS + pages + pages / 512 + header->nr_slots;

    if (slots <= 1ull << SEL4_ROOT_CNODE_BITS) {
        return true;
    }
    report_error(
        report, model->at,
        "the system needs about %llu capabilities and init has room for %llu; expected "
        "less memory (one for each MiB) or smaller kernels and RAM disks (two for each 4K)",
        (unsigned long long)slots, 1ull << SEL4_ROOT_CNODE_BITS);
    return false;
}

/* What init would refuse, the tool refuses; if it comes to that, the tool is to blame. */
static bool check_own_plan(struct report *report, const struct buffer *bytes)
{
    struct plan_problem problem;
    struct plan plan;
    uint64_t image_bytes = ((const struct plan_header *)bytes->bytes)->image_bytes;

    if (plan_open(&plan, bytes->bytes, image_bytes, &problem) && plan_check(&plan, &problem)) {
        return true;
    }
    report_error(report, (struct position){ 0 },
                 "the plan made of it is wrong (%s %d: %s): this is a mistake in bulkhead itself",
                 problem.where, (int)problem.row, problem.what);
    return false;
}

bool compile_system(struct report *report, const struct model *model,
                    const struct components *components, struct compiled *compiled)
{
    struct server_client *clients =
        arena_take(report->arena, (model->nr_vms + 2) * sizeof(*clients));
    struct sata_vm *with_disks = arena_take(report->arena, model->nr_vms * sizeof(*with_disks));
    size_t nr_clients = 0, nr_with_disks = 0;
    struct supervisor supervisor;
    struct builder builder;

    builder_init(&builder, report->arena);
    compile_init(&builder, model);
    supervisor_begin(&supervisor, &builder, model);
    for (size_t i = 0; i < model->nr_vms; i++) {
        struct vm_build build = compile_vm(&builder, &model->vms[i], &supervisor, &components->vmm);

        clients[nr_clients++] = vm_as_console_client(&build);
        if (model->vms[i].nr_disks != 0) {
            with_disks[nr_with_disks++] = vm_as_sata_client(&build);
        }
    }
    if (nr_with_disks != 0) {
        clients[nr_clients++] =
            compile_sata(&supervisor, &components->sataserver, with_disks, nr_with_disks);
    }
    clients[nr_clients++] = supervisor_as_console_client(&supervisor);
    compile_console(&supervisor, &components->console, &model->console, clients, nr_clients,
                    model->nr_vms);
    supervisor_finish(&supervisor, &components->supervisor, &components->vmm);
    compiled->plan = builder_finish(&builder);
    compiled->files = builder.files;
    return check_slot_limit(report, model, (const struct plan_header *)compiled->plan.bytes,
                            &components->init) &&
           check_own_plan(report, &compiled->plan);
}
