/* SPDX-License-Identifier: BSD-2-Clause */
/* What a description becomes: the monitor's capabilities and mappings, guest memory, the image. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/tools/world.h"
#include "tools/bulkhead/emit.h"
#include "tools/bulkhead/graph.h"
#include "tools/bulkhead/machine.h"
#include "user/libserver/console.h"
#include "user/libserver/sata.h"
#include "user/libserver/supervisor.h"
#include "user/vmm/config.h"

#define DESCRIPTION(memory, rest)                                                                  \
    "system: test\n" rest "vms:\n  - name: linux\n    memory: " memory                             \
    "\n    kernel: k\n    initrd: i\n"                                                             \
    "    cmdline: \"console=ttyS0\"\n    priority: 77\n    budget: 2ms\n    period: 8ms\n"

static const char small[] = DESCRIPTION("64M", "");

static void compile(struct world *world, const char *text)
{
    bool good = world_compile(world, text, strlen(text));

    report_print(&world->report, stderr);
    assert_true(good);
}

/* The row of the object with this name. */
static const struct plan_object *object(const struct plan *plan, const char *name)
{
    for (uint32_t i = 0; i < plan->nr_objects; i++) {
        if (strcmp(plan_name(plan, plan->objects[i].name), name) == 0) {
            return &plan->objects[i];
        }
    }
    fail_msg("no object %s", name);
    return NULL;
}

/* The mapping that begins at an address of a space. */
static const struct plan_mapping *mapping(const struct plan *plan, const char *space,
                                          uint64_t address)
{
    for (uint32_t i = 0; i < plan->nr_mappings; i++) {
        if (strcmp(plan_slot_name(plan, plan->mappings[i].space), space) == 0 &&
            plan->mappings[i].address == address) {
            return &plan->mappings[i];
        }
    }
    fail_msg("nothing at 0x%llx of %s", (unsigned long long)address, space);
    return NULL;
}

static const char *holds(const struct plan *plan, const char *cnode, uint32_t index,
                         uint64_t *rights, uint64_t *badge)
{
    for (uint32_t i = 0; i < plan->nr_caps; i++) {
        const struct plan_cap *cap = &plan->caps[i];

        if (cap->cnode != PLAN_NO_SLOT && cap->index == index &&
            strcmp(plan_slot_name(plan, cap->cnode), cnode) == 0) {
            *rights = cap->rights;
            *badge = cap->badge;
            return plan_slot_name(plan, cap->source);
        }
    }
    return "nothing";
}

static void test_capabilities(void **state)
{
    static const struct {
        uint32_t slot;
        const char *name;
        uint64_t rights;
        uint64_t badge;
    } expected[] = {
        { VMM_VCPU_SLOT(0, VMM_VCPU_VCPU), "linux.vcpu-0", 15, 0 },
        { VMM_VCPU_SLOT(0, VMM_VCPU_NOTIFICATION), "linux.notification-0", 3, VMM_BADGE_KICK },
        { VMM_VCPU_SLOT(0, VMM_VCPU_TURN), "linux.turn-0", 3, 0 },
        { VMM_SLOT_CONSOLE, "console.notification", 1, SERVER_BADGE_CLIENT(0) },
        { VMM_SLOT_SUPERVISOR_EP, "bulkhead.endpoint", 1, 2 },
    };
    uint32_t in_cnode = 0;
    struct world world;

    (void)state;
    compile(&world, small);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        uint64_t rights = 0, badge = 0;

        assert_string_equal(holds(&world.plan, "linux.cnode", expected[i].slot, &rights, &badge),
                            expected[i].name);
        assert_int_equal(rights, expected[i].rights);
        assert_int_equal(badge, expected[i].badge);
    }
    for (uint32_t i = 0; i < world.plan.nr_caps; i++) {
        in_cnode +=
            strcmp(plan_slot_name(&world.plan, world.plan.caps[i].cnode), "linux.cnode") == 0;
    }
    assert_int_equal(in_cnode, sizeof(expected) / sizeof(expected[0]));
    assert_int_equal(object(&world.plan, "linux.cnode")->size_bits, VMM_CNODE_RADIX + 5);
    world_release(&world);
}

static void check_mapping(const struct plan *plan, const char *space, uint64_t address,
                          const char *name, uint32_t count, uint16_t rights, uint16_t attributes)
{
    const struct plan_mapping *found = mapping(plan, space, address);

    assert_string_equal(plan_slot_name(plan, found->frame), name);
    assert_int_equal(found->count, count);
    assert_int_equal(found->rights, rights);
    assert_int_equal(found->attributes, attributes);
}

static void test_address_space(void **state)
{
    const char *space = "linux.vspace";
    struct world world;

    (void)state;
    compile(&world, small);
    check_mapping(&world.plan, space, 0x400000, "linux.vmm.rodata", 1, 2, 8);
    check_mapping(&world.plan, space, 0x401000, "linux.vmm.text", 2, 2, 0);
    check_mapping(&world.plan, space, 0x403000, "linux.vmm.data", 5, 3, 8);
    check_mapping(&world.plan, space, VMM_CONFIG_VADDR, "linux.config", 1, 2, 8);
    check_mapping(&world.plan, space, VMM_IPC_BUFFER_VADDR, "linux.ipc-buffer-0", 1, 3, 8);
    check_mapping(&world.plan, space, VMM_KERNEL_VADDR, "linux.kernel", 3, 2, 8);
    check_mapping(&world.plan, space, VMM_INITRD_VADDR, "linux.initrd", 1, 2, 8);
    check_mapping(&world.plan, space, VMM_RAM_VADDR, "linux.ram", 32, 3, 8);
    check_mapping(&world.plan, "linux.ept", 0, "linux.ram", 32, 3, seL4_X86_EPT_WriteBack);
    check_mapping(&world.plan, space, VMM_CONSOLE_VADDR, "console.channel-linux", 3, 3, 8);
    check_mapping(&world.plan, "console.vspace", SERVER_CHANNEL_VADDR, "console.channel-linux", 3,
                  3, 8);
    check_mapping(&world.plan, "console.vspace", SERVER_CONTROL_VADDR, "console.control", 1, 3, 8);
    check_mapping(&world.plan, "bulkhead.vspace", SUPERVISOR_CONTROL_VADDR, "console.control", 1, 3,
                  8);
    /*
     * The monitor's nine, the guest's; the console's program, configuration, buffer, two channels
     * and control; the supervisor's program, configuration, buffer, channel and control.
     */
    assert_int_equal(world.plan.nr_mappings, 9 + 1 + 8 + 7);
    world_release(&world);
}

/* More than 3 GiB: RAM goes on above 4 GiB. */
static void test_large_memory(void **state)
{
    struct world world;

    (void)state;
    compile(&world, DESCRIPTION("4G", ""));
    check_mapping(&world.plan, "linux.vspace", VMM_RAM_VADDR, "linux.ram", 1536, 3, 8);
    check_mapping(&world.plan, "linux.vspace", VMM_RAM_VADDR + (4ull << 30), "linux.ram-high", 512,
                  3, 8);
    check_mapping(&world.plan, "linux.ept", 0, "linux.ram", 1536, 3, 6);
    check_mapping(&world.plan, "linux.ept", 4ull << 30, "linux.ram-high", 512, 3, 6);
    world_release(&world);
}

/* Whether a paging structure of this span covers the address. */
static bool covered(const struct plan *plan, uint32_t space, uint64_t address, unsigned bits)
{
    for (uint32_t i = 0; i < plan->nr_paging; i++) {
        const struct plan_paging *paging = &plan->paging[i];
        struct plan_slot slot;

        assert_true(plan_slots_find(plan, paging->slot, paging->count, &slot));
        if (paging->space == space && plan_paging_span_bits(slot.type) == bits &&
            address >= paging->address && (address - paging->address) >> bits < paging->count) {
            return true;
        }
    }
    return false;
}

/* Every mapped page has all its paging structures, none is there twice, upper ones come first. */
static void check_paging(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->nr_mappings; i++) {
        const struct plan_mapping *row = &plan->mappings[i];
        struct plan_slot frame;

        assert_true(plan_slots_find(plan, row->frame, row->count, &frame));
        for (uint32_t n = 0; n < row->count; n++) {
            uint64_t address = row->address + ((uint64_t)n << plan_frame_bits(frame.type));

            assert_true(covered(plan, row->space, address, 39));
            assert_true(covered(plan, row->space, address, 30));
            assert_true(plan_frame_bits(frame.type) != 12 ||
                        covered(plan, row->space, address, 21));
        }
    }
    for (uint32_t i = 0; i < plan->nr_paging; i++) {
        for (uint32_t j = 0; j < i; j++) {
            const struct plan_paging *a = &plan->paging[i], *b = &plan->paging[j];
            struct plan_slot first, second;

            assert_true(plan_slots_find(plan, a->slot, 1, &first));
            assert_true(plan_slots_find(plan, b->slot, 1, &second));
            if (a->space == b->space) {
                unsigned bits = plan_paging_span_bits(first.type);

                assert_true(bits <= plan_paging_span_bits(second.type));
                assert_true(bits != plan_paging_span_bits(second.type) ||
                            b->address + ((uint64_t)b->count << bits) <= a->address);
            }
        }
    }
}

static void test_paging(void **state)
{
    static const char *const texts[] = { small, DESCRIPTION("4G", ""), DESCRIPTION("3074M", ""),
                                         DESCRIPTION("20G", "") };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct world world;

        compile(&world, texts[i]);
        check_paging(&world.plan);
        world_release(&world);
    }
}

/* The monitor's configuration in the plan; TSC frequency and date are init's to fill in. */
static const struct vmm_config *find_config(const struct world *world)
{
    const struct vmm_config *config = NULL;
    uint64_t tsc_offset = 0, date_offset = 0;

    for (uint32_t i = 0; i < world->plan.nr_fills; i++) {
        const struct plan_fill *fill = &world->plan.fills[i];

        if (strcmp(plan_slot_name(&world->plan, fill->frame), "linux.config") != 0) {
            continue;
        }
        if (fill->kind == PLAN_FILL_TSC_MHZ) {
            tsc_offset = fill->offset;
        } else if (fill->kind == PLAN_FILL_BOOT_TIME) {
            date_offset = fill->offset;
        } else {
            assert_int_equal(fill->length, sizeof(*config));
            config = (const struct vmm_config *)(world->plan.bytes + fill->source);
        }
    }
    assert_int_equal(tsc_offset, offsetof(struct vmm_config, tsc_mhz));
    assert_int_equal(date_offset, offsetof(struct vmm_config, boot_time));
    if (config == NULL) {
        fail_msg("no configuration");
    }
    return config;
}

static void test_config(void **state)
{
    const struct vmm_config *config;
    struct world world;

    (void)state;
    compile(&world, small);
    config = find_config(&world);
    assert_int_equal(config->magic, VMM_CONFIG_MAGIC);
    assert_int_equal(config->version, VMM_CONFIG_VERSION);
    assert_int_equal(config->nr_vcpus, 1);
    assert_int_equal(config->baseline, VMM_BASELINE_HOST);
    assert_int_equal(config->ram_bytes, 64 << 20);
    assert_int_equal(config->kernel_bytes, WORLD_KERNEL_BYTES);
    assert_int_equal(config->initrd_bytes, WORLD_INITRD_BYTES);
    assert_string_equal(config->name, "linux");
    assert_string_equal(config->command_line, "console=ttyS0");
    world_release(&world);
}

/* What the disk server is told of a disk. */
static void test_disk(void **state)
{
    static const char text[] = DESCRIPTION("64M", "") "    disks:\n"
                                                      "      - serial: WD-1\n"
                                                      "        number: 3\n"
                                                      "        access: read-only\n"
                                                      "      - partlabel: data\n"
                                                      "        bandwidth: 20M\n"
                                                      "        iops: 500\n";
    const struct sata_config *config = NULL;
    struct world world;

    (void)state;
    compile(&world, text);
    for (uint32_t i = 0; i < world.plan.nr_fills; i++) {
        const struct plan_fill *fill = &world.plan.fills[i];

        if (strcmp(plan_slot_name(&world.plan, fill->frame), "sataserver.config") == 0 &&
            fill->length == sizeof(*config)) {
            config = (const struct sata_config *)(world.plan.bytes + fill->source);
        }
    }
    if (config == NULL) {
        fail_msg("no configuration");
        return;
    }
    assert_int_equal(config->nr_clients, 2);
    assert_string_equal(config->clients[0].name, "linux/vda");
    assert_string_equal(config->clients[0].text, "WD-1");
    assert_int_equal(config->clients[0].number, 3);
    assert_int_equal(config->clients[0].flags, SATA_CLIENT_READ_ONLY);
    assert_int_equal(config->clients[0].bandwidth, 0);
    assert_int_equal(config->clients[0].iops, 0);
    assert_string_equal(config->clients[1].name, "linux/vdb");
    assert_int_equal(config->clients[1].bandwidth, 20 << 20);
    assert_int_equal(config->clients[1].iops, 500);
    world_release(&world);
}

static uint32_t yielding(const char *text)
{
    struct world world;
    uint32_t set;

    compile(&world, text);
    set = find_config(&world)->yielding;
    world_release(&world);
    return set;
}

/* Those that share their core with another of the VM, if its budget makes turns of it. */
static void test_yielding(void **state)
{
#define TURNS(rest) "system: test\nvms:\n  - name: linux\n    memory: 64M\n    kernel: k\n" rest
    (void)state;
    assert_int_equal(yielding(TURNS("")), 0);
    assert_int_equal(yielding(TURNS("    vcpus: 4\n")), 0);
    assert_int_equal(yielding(TURNS("    vcpus: 4\n    cores: [0]\n")), 0xf);
    assert_int_equal(yielding(TURNS("    vcpus: 3\n    cores: [1, 0]\n")), 0x5);
    assert_int_equal(yielding(DESCRIPTION("64M", "") "    vcpus: 3\n    cores: [1, 0]\n"), 0);
#undef TURNS
}

static void test_thread(void **state)
{
    const struct plan_thread *thread;
    const struct plan_context *context;
    struct plan_slot fault;
    struct world world;

    (void)state;
    compile(&world, small);
    assert_int_equal(world.plan.nr_threads, 1 + 2); /* console, supervisor */
    assert_int_equal(world.plan.nr_contexts, 1 + 2);
    thread = &world.plan.threads[0];
    context = &world.plan.contexts[0];
    assert_int_equal(thread->rip, WORLD_VMM_ENTRY);
    assert_int_equal(thread->priority, 77);
    assert_int_equal(thread->buffer_address, VMM_IPC_BUFFER_VADDR);
    assert_string_equal(plan_slot_name(&world.plan, thread->notification), "linux.notification-0");
    assert_string_equal(plan_slot_name(&world.plan, thread->vcpu), "linux.vcpu-0");
    assert_string_equal(plan_slot_name(&world.plan, thread->ept), "linux.ept");
    assert_int_equal(context->budget_us, 2000);
    assert_int_equal(context->period_us, 8000);
    assert_true(plan_slots_find(&world.plan, thread->fault_endpoint, 1, &fault));
    assert_int_equal(fault.badge, 2 | PLAN_BADGE_FAULT);
    assert_int_equal(fault.rights, 9);
    world_release(&world);
}

/* Three vCPUs on two cores: a thread each, in one address space, with its own parts. */
static void test_vcpus(void **state)
{
    static const uint32_t cores[] = { 1, 0, 1 };
    static const char *const names[] = { "linux.notification-0", "linux.notification-1",
                                         "linux.notification-2" };
    static const char *const turns[] = { "linux.turn-0", "linux.turn-1", "linux.turn-2" };
    uint64_t rights, badge;
    struct world world;

    (void)state;
    compile(&world, DESCRIPTION("64M", "") "    vcpus: 3\n    cores: [1, 0]\n");
    assert_int_equal(world.plan.nr_threads, 3 + 2); /* console, supervisor */
    for (unsigned i = 0; i < 3; i++) {
        const struct plan_thread *thread = &world.plan.threads[i];

        assert_int_equal(thread->rdi, i);
        assert_int_equal(thread->rip, WORLD_VMM_ENTRY);
        assert_int_equal(thread->vspace, world.plan.threads[0].vspace);
        assert_int_equal(thread->cnode, world.plan.threads[0].cnode);
        assert_int_equal(thread->buffer_address, VMM_IPC_BUFFER_VADDR + i * 4096);
        assert_int_equal(world.plan.contexts[i].slot, thread->context);
        assert_int_equal(world.plan.contexts[i].core, cores[i]);
        assert_int_equal(world.plan.contexts[i].budget_us, 2000);
        assert_string_equal(plan_slot_name(&world.plan, thread->notification), names[i]);
        assert_string_equal(holds(&world.plan, "linux.cnode",
                                  VMM_VCPU_SLOT(i, VMM_VCPU_NOTIFICATION), &rights, &badge),
                            names[i]);
        assert_string_equal(
            holds(&world.plan, "linux.cnode", VMM_VCPU_SLOT(i, VMM_VCPU_TURN), &rights, &badge),
            turns[i]);
        assert_int_equal(mapping(&world.plan, "linux.vspace", thread->buffer_address)->frame,
                         thread->buffer_frame);
    }
    world_release(&world);
    /* Without the key: vCPU i on core i. */
    compile(&world, DESCRIPTION("64M", "") "    vcpus: 16\n");
    assert_int_equal(world.plan.nr_threads, 16 + 2);
    assert_int_equal(world.plan.contexts[15].core, 15);
    world_release(&world);
}

static void test_interrupt(void **state)
{
    struct plan_slot notification;
    struct world world;

    (void)state;
    compile(&world, small);
    assert_int_equal(world.plan.nr_irqs, 1);
    assert_int_equal(world.plan.irqs[0].pin, 4);
    assert_int_equal(world.plan.irqs[0].level, 0);
    assert_int_equal(world.plan.irqs[0].polarity, 0);
    assert_int_equal(world.plan.nr_bindings, 1);
    assert_true(
        plan_slots_find(&world.plan, world.plan.bindings[0].notification, 1, &notification));
    assert_string_equal(plan_owner_name(&world.plan, notification.owner), "console");
    assert_int_equal(notification.badge, SERVER_BADGE_INTERRUPT);
    world_release(&world);
}

/* What init will put into the supervisor's memory. */
static const struct supervisor_config *supervisor_config(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->nr_fills; i++) {
        const struct plan_fill *fill = &plan->fills[i];

        if (fill->kind == PLAN_FILL_BYTES &&
            strcmp(plan_slot_name(plan, fill->frame), "bulkhead.config") == 0) {
            return (const void *)(plan->bytes + fill->source);
        }
    }
    fail_msg("no configuration of the supervisor");
    return NULL;
}

static void test_end_action(void **state)
{
    uint64_t rights, badge;
    struct world world;

    (void)state;
    compile(&world, small);
    assert_int_equal(supervisor_config(&world.plan)->end_action, SUPERVISOR_END_HALT);
    assert_int_equal(world.plan.nr_ports, 1);
    world_release(&world);
    compile(&world, DESCRIPTION("64M", "at-end: exit\n"));
    assert_int_equal(supervisor_config(&world.plan)->end_action, SUPERVISOR_END_EXIT);
    assert_string_equal(
        holds(&world.plan, "bulkhead.cnode", SUPERVISOR_SLOT_DEBUG_EXIT, &rights, &badge),
        "debug-exit");
    assert_string_equal(
        holds(&world.plan, "bulkhead.cnode", SUPERVISOR_SLOT_SHUTDOWN, &rights, &badge),
        "shutdown");
    world_release(&world);
}

/* Two VMs, the second with two vCPUs; three disks. */
static void test_supervisor(void **state)
{
    static const char text[] =
        "system: s\nvms:\n"
        "  - name: a\n    memory: 64M\n    kernel: k\n    disks:\n      - partlabel: x\n"
        "  - name: b\n    memory: 64M\n    kernel: k\n    vcpus: 2\n    restart: on-failure\n"
        "    restart-delay: 3s\n    restart-limit: 7\n    watchdog: 20s\n"
        "    disks:\n      - partlabel: y\n      - partlabel: z\n";
    const struct supervisor_config *config;
    uint64_t rights, badge;
    struct world world;

    (void)state;
    compile(&world, text);
    config = supervisor_config(&world.plan);
    assert_int_equal(config->nr_vms, 2);
    assert_int_equal(config->nr_servers, 2);
    assert_string_equal(config->servers[SUPERVISOR_CONSOLE].name, "console");
    assert_string_equal(config->servers[SUPERVISOR_SATA].name, "sataserver");
    assert_int_equal(config->vms[0].restart, SUPERVISOR_NEVER);
    assert_int_equal(config->vms[0].clients[SUPERVISOR_CONSOLE], 1);
    assert_int_equal(config->vms[0].clients[SUPERVISOR_SATA], 1);
    assert_string_equal(config->vms[1].name, "b");
    assert_int_equal(config->vms[1].nr_threads, 2);
    assert_int_equal(config->vms[1].restart, SUPERVISOR_ON_FAILURE);
    assert_int_equal(config->vms[1].delay_us, 3000000);
    assert_int_equal(config->vms[1].limit, 7);
    assert_int_equal(config->vms[1].clients[SUPERVISOR_CONSOLE], 2);
    assert_int_equal(config->vms[1].clients[SUPERVISOR_SATA], 6);
    for (uint32_t i = 0; i < 2; i++) {
        assert_string_equal(plan_owner_name(&world.plan, config->vms[i].component),
                            config->vms[i].name);
    }
    assert_string_equal(holds(&world.plan, "bulkhead.cnode",
                              SUPERVISOR_SLOT_TCB + SUPERVISOR_MAX_THREADS + 1, &rights, &badge),
                        "b.tcb-1");
    world_release(&world);
}

static void test_too_many_capabilities(void **state)
{
    static const char text[] = DESCRIPTION("128G", "");
    struct world world;

    (void)state;
    assert_false(world_compile(&world, text, strlen(text)));
    assert_int_equal(world.report.errors, 1);
    world_release(&world);
}

/* --- The image file ----------------------------------------------------------------------------
 */

static char *emit(struct world *world, size_t *length)
{
    char path[] = "/tmp/bulkhead-test-XXXXXX";
    int descriptor = mkstemp(path);
    struct file file;
    char *copy;

    assert_true(descriptor >= 0);
    close(descriptor);
    assert_true(emit_image(&world->arena, path, &world->components.init, &world->compiled));
    assert_true(file_map(path, &file));
    copy = malloc(file.length);
    memcpy(copy, file.bytes, file.length);
    *length = file.length;
    remove(path);
    return copy;
}

/* The image is a program: init's segments and one with the plan, at init's end. */
static void test_image(void **state)
{
    const struct program_segment *last;
    const struct plan_image *kernel;
    struct plan_problem problem;
    struct program program;
    struct world world;
    struct plan plan;
    struct file file;
    size_t length;
    char *bytes;

    (void)state;
    compile(&world, small);
    bytes = emit(&world, &length);
    file = (struct file){ (const uint8_t *)bytes, length };
    assert_null(program_read(&file, &program));
    assert_int_equal(program.entry, world.components.init.entry);
    assert_int_equal(program.nr_segments, world.components.init.nr_segments + 1);
    last = &program.segments[program.nr_segments - 1];
    assert_int_equal(last->address, program_end(&world.components.init));
    assert_false(last->write || last->execute);
    assert_memory_equal(program.segments[1].bytes, world.components.init.segments[1].bytes,
                        program.segments[1].file_bytes);
    assert_true(plan_open(&plan, last->bytes, last->file_bytes, &problem));
    kernel = &plan.images[0];
    assert_string_equal(plan_name(&plan, kernel->name), "linux.kernel");
    assert_memory_equal(last->bytes + kernel->offset, world.model.vms[0].kernel.bytes,
                        WORLD_KERNEL_BYTES);
    free(bytes);
    world_release(&world);
}

static void test_reproducible(void **state)
{
    struct world first, second;
    size_t first_length, second_length;
    char *a, *b;

    (void)state;
    compile(&first, small);
    compile(&second, small);
    a = emit(&first, &first_length);
    b = emit(&second, &second_length);
    assert_int_equal(first_length, second_length);
    assert_memory_equal(a, b, first_length);
    free(a);
    free(b);
    world_release(&first);
    world_release(&second);
}

static void test_unwritable(void **state)
{
    struct world world;

    (void)state;
    compile(&world, small);
    assert_false(
        emit_image(&world.arena, "/nowhere/image.elf", &world.components.init, &world.compiled));
    world_release(&world);
}

/* Another port, its interrupt, the key, and the second VM first. */
static void test_console(void **state)
{
    static const char text[] =
        "system: test\nconsole: { port: 0x2f8, escape: Ctrl-A, first: two }\nvms:\n"
        "  - { name: one, memory: 64M, kernel: k }\n  - { name: two, memory: 64M, kernel: k }\n";
    const struct console_config *config = NULL;
    struct world world;

    (void)state;
    compile(&world, text);
    assert_int_equal(world.plan.nr_ports, 1);
    assert_int_equal(world.plan.ports[0].first, 0x2f8);
    assert_int_equal(world.plan.ports[0].last, 0x2ff);
    assert_int_equal(world.plan.irqs[0].pin, 3);
    for (uint32_t i = 0; i < world.plan.nr_fills; i++) {
        const struct plan_fill *fill = &world.plan.fills[i];

        if (strcmp(plan_slot_name(&world.plan, fill->frame), "console.config") == 0 &&
            fill->length == sizeof(*config)) {
            config = (const struct console_config *)(world.plan.bytes + fill->source);
        }
    }
    assert_non_null(config);
    assert_int_equal(config->port, 0x2f8);
    assert_int_equal(config->escape, 1);
    assert_int_equal(config->first, 1);
    assert_int_equal(config->nr_vms, 2);
    world_release(&world);
}

static uint64_t plan_bytes(const struct plan *plan)
{
    uint64_t bytes = plan->header->image_bytes;

    for (uint32_t i = 0; i < plan->nr_objects; i++) {
        bytes += (uint64_t)plan->objects[i].count << plan->objects[i].size_bits;
    }
    for (uint32_t i = 0; i < plan->nr_paging; i++) {
        bytes += (uint64_t)plan->paging[i].count << seL4_PageTableBits;
    }
    return bytes;
}

/* The largest system: what the checks reckon with holds it, and 32 MiB for what is in no plan. */
static void test_reserve(void **state)
{
    struct world world;
    char *text = NULL;
    size_t length;
    FILE *to = open_memstream(&text, &length);

    (void)state;
    fputs("system: test\nvms:\n", to);
    for (unsigned i = 0; i < 15; i++) {
        fprintf(to,
                "  - name: vm-%u\n    memory: 4G\n    kernel: k\n    initrd: i\n    vcpus: 16\n"
                "    disks:\n      - partlabel: p-%u\n",
                i, i);
    }
    fclose(to);
    compile(&world, text);
    assert_in_range(plan_bytes(&world.plan) + (32u << 20), 60ull << 30,
                    machine_needed(&world.model).memory);
    world_release(&world);
    free(text);
}

/* The graph of a description; to be freed. */
static char *draw(const char *description)
{
    struct world world;
    char *text = NULL;
    size_t length;
    FILE *to;

    compile(&world, description);
    to = open_memstream(&text, &length);
    graph_print(&world.plan, &world.arena, to);
    fclose(to);
    world_release(&world);
    return text;
}

static void test_graph(void **state)
{
    char *text = draw(small);

    (void)state;
    assert_non_null(strstr(text, "label=\"ram\\n64 MiB\"]"));
    assert_non_null(strstr(text, "g2 -> o0 [label=\"read write execute\"]"));
    assert_non_null(strstr(text, "c2 -> o0 [label=\"read write\"]"));
    assert_non_null(strstr(text, "c2 -> m0 [label=\"read\"]"));
    assert_non_null(strstr(text, "virtual CPU 0: core 0, at most 25 %, priority 77"));
    assert_non_null(strstr(text, "c2 -> c3 [dir=both"));
    assert_non_null(strstr(text, "label=\"channel\\n12 KiB\"]"));
    assert_non_null(strstr(text, "c2 -> c1 [style=dashed"));
    assert_non_null(strstr(text, "label=\"stops, starts\"]"));
    assert_non_null(strstr(text, "I/O ports 0x3f8-0x3ff"));
    assert_non_null(strstr(text, "i0 -> c3 [label=\"interrupts\"]"));
    assert_null(strstr(text, "DMA"));
    free(text);
}

static void test_graph_disks(void **state)
{
    char *text = draw(DESCRIPTION("64M", "") "    disks:\n"
                                             "      - { partlabel: 'a\"b\\c', access: read-only }\n"
                                             "      - { serial: WD-1, number: 2 }\n");

    (void)state;
    assert_non_null(strstr(text, "label=\"the partition labelled 'a\\\"b\\\\c'\"]"));
    assert_non_null(strstr(text, "label=\"partition 2 of the disk with serial number WD-1\"]"));
    assert_non_null(strstr(text, "d0 -> s0 [label=\"read\\nfor linux/vda\"]"));
    assert_non_null(strstr(text, "d0 -> s1 [label=\"read write\\nfor linux/vdb\"]"));
    assert_non_null(strstr(text, "d0 -> all ["));
    assert_non_null(strstr(text, "d0 -> c3 [label=\"interrupts\"]"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capabilities),
        cmocka_unit_test(test_address_space),
        cmocka_unit_test(test_large_memory),
        cmocka_unit_test(test_paging),
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_disk),
        cmocka_unit_test(test_yielding),
        cmocka_unit_test(test_thread),
        cmocka_unit_test(test_vcpus),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_end_action),
        cmocka_unit_test(test_supervisor),
        cmocka_unit_test(test_too_many_capabilities),
        cmocka_unit_test(test_image),
        cmocka_unit_test(test_reproducible),
        cmocka_unit_test(test_unwritable),
        cmocka_unit_test(test_graph),
        cmocka_unit_test(test_graph_disks),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_console),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
