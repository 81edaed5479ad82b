/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every rule of user/init/plan_check.h: a plan as the tool makes it is accepted, and each change
 * below is refused in the right table with the right words. Then random damage, which must never
 * make the reader leave the plan.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/tools/world.h"
#include "user/init/plan_check.h"
#include "user/libserver/console.h"
#include "user/libserver/supervisor.h"
#include "user/vmm/config.h"

static const char text[] = "system: test\nat-end: exit\nvms:\n  - name: linux\n    memory: 64M\n"
                           "    kernel: k\n    initrd: i\n"
                           "  - name: other\n    memory: 64M\n    kernel: k\n";

/* The same with disks. */
static const char disks_text[] =
    "system: test\nvms:\n  - name: linux\n    memory: 64M\n    kernel: k\n"
    "    disks:\n      - partlabel: a\n      - partlabel: b\n"
    "  - name: other\n    memory: 4G\n    kernel: k\n    disks:\n      - serial: s\n"
    "  - name: third\n    memory: 64M\n    kernel: k\n";

static const char *description = text;

/* The plan under test, in memory of exactly its size, writable. */
struct subject {
    struct world world;
    uint8_t *bytes;
    uint64_t length;
    struct plan plan;
    struct plan_problem problem;
};

static void subject_make(struct subject *subject)
{
    assert_true(world_compile(&subject->world, description, strlen(description)));
    subject->length = subject->world.plan.header->image_bytes;
    subject->bytes = calloc(1, subject->length);
    assert_non_null(subject->bytes);
    memcpy(subject->bytes, subject->world.plan.bytes, subject->world.compiled.plan.length);
    /* It opens: the world has opened the same bytes. */
    plan_open(&subject->plan, subject->bytes, subject->length, &subject->problem);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): only a failed assertion leaves it unfreed */
}

static void subject_free(struct subject *subject)
{
    free(subject->bytes);
    world_release(&subject->world);
}

/* Rows to change. */
#define HEADER(s)               ((struct plan_header *)(s)->bytes)
#define EDIT(s, type, field, i) (*(struct type *)(uintptr_t)(&(s)->plan.field[i]))

static uint32_t object_row(struct subject *s, const char *name)
{
    for (uint32_t i = 0; i < s->plan.nr_objects; i++) {
        if (strcmp(plan_name(&s->plan, s->plan.objects[i].name), name) == 0) {
            return i;
        }
    }
    fail_msg("no object %s", name);
    return 0;
}

static uint32_t slot_of(struct subject *s, const char *name)
{
    return s->plan.objects[object_row(s, name)].slot;
}

static struct plan_object *object(struct subject *s, const char *name)
{
    return &EDIT(s, plan_object, objects, object_row(s, name));
}

static struct plan_mapping *map_of(struct subject *s, const char *frames)
{
    for (uint32_t i = 0; i < s->plan.nr_mappings; i++) {
        if (strcmp(plan_slot_name(&s->plan, s->plan.mappings[i].frame), frames) == 0) {
            return &EDIT(s, plan_mapping, mappings, i);
        }
    }
    fail_msg("no mapping of %s", frames);
    return NULL;
}

static struct plan_cap *cap_in(struct subject *s, const char *cnode, uint32_t index)
{
    for (uint32_t i = 0; i < s->plan.nr_caps; i++) {
        if (s->plan.caps[i].index == index &&
            strcmp(plan_slot_name(&s->plan, s->plan.caps[i].cnode), cnode) == 0) {
            return &EDIT(s, plan_cap, caps, i);
        }
    }
    fail_msg("nothing in slot %u of %s", index, cnode);
    return NULL;
}

/* The copy of a capability in the initial CNode. */
static struct plan_cap *copy_of(struct subject *s, const char *source)
{
    for (uint32_t i = 0; i < s->plan.nr_caps; i++) {
        if (s->plan.caps[i].cnode == PLAN_NO_SLOT &&
            strcmp(plan_slot_name(&s->plan, s->plan.caps[i].source), source) == 0) {
            return &EDIT(s, plan_cap, caps, i);
        }
    }
    fail_msg("no copy of %s", source);
    return NULL;
}

static void expect_refusal(struct subject *s, const char *where, const char *what, int line)
{
    struct plan_problem *problem = &s->problem;

    if (plan_open(&s->plan, s->bytes, s->length, problem) && plan_check(&s->plan, problem)) {
        fail_msg("line %d: accepted, expected %s: %s", line, where, what);
    }
    if (strcmp(problem->where, where) != 0 || strcmp(problem->what, what) != 0) {
        fail_msg("line %d: refused by %s %d: %s; expected %s: %s", line, problem->where,
                 (int)problem->row, problem->what, where, what);
    }
}

/* What follows `what` is done to a good plan `s`. */
#define REFUSED(where, what, ...)                                                                  \
    do {                                                                                           \
        struct subject subject_, *s = &subject_;                                                   \
        subject_make(s);                                                                           \
        __VA_ARGS__;                                                                               \
        expect_refusal(s, where, what, __LINE__);                                                  \
        subject_free(s);                                                                           \
    } while (0)

static void test_good(void **state)
{
    struct subject subject;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        description = i == 0 ? disks_text : text;
        subject_make(&subject);
        assert_true(plan_check(&subject.plan, &subject.problem));
        subject_free(&subject);
    }
}

static void test_header(void **state)
{
    (void)state;
    REFUSED("header", "there is no boot plan behind the program", HEADER(s)->magic++);
    REFUSED("header", "there is no boot plan behind the program", s->length = 8);
    REFUSED("header", "made by a tool of another version", HEADER(s)->version++);
    REFUSED("header", "the image is longer than what was loaded", HEADER(s)->image_bytes += 4096);
    REFUSED("header", "the image is longer than what was loaded", HEADER(s)->image_bytes -= 1);
    REFUSED("header", "the plan is longer than its image", HEADER(s)->plan_bytes = UINT64_MAX);
    REFUSED("header", "the plan is longer than its image", HEADER(s)->plan_bytes = 8);
    REFUSED("header", "the strings lie outside the plan", HEADER(s)->strings_bytes = 0);
    REFUSED("header", "the strings lie outside the plan", HEADER(s)->strings_bytes = UINT32_MAX);
    REFUSED("header", "the strings lie outside the plan", HEADER(s)->strings_offset = UINT32_MAX);
    REFUSED("header", "the strings do not end", HEADER(s)->strings_bytes -= 1);
    REFUSED("object", "the table lies outside the plan",
            HEADER(s)->tables[PLAN_TABLE_OBJECTS].count = UINT32_MAX);
    REFUSED("thread", "the table lies outside the plan",
            HEADER(s)->tables[PLAN_TABLE_THREADS].offset += 4);
    REFUSED("fill", "the table lies outside the plan",
            HEADER(s)->tables[PLAN_TABLE_FILLS].offset = 8);
    REFUSED("header", "the system's name lies outside the strings", HEADER(s)->name = UINT32_MAX);
    REFUSED("header", "there is no supervisor", HEADER(s)->supervisor = PLAN_OWNER_INIT);
    REFUSED("header", "there is no supervisor", HEADER(s)->supervisor = UINT32_MAX);
    REFUSED("header", "the scratch page is not a good address", HEADER(s)->scratch_address += 1);
    REFUSED("header", "the scratch page is not a good address",
            HEADER(s)->scratch_address = 1ull << 63);
}

static void test_slots(void **state)
{
    static const char follow[] = "its slots do not follow those before it";

    (void)state;
    REFUSED("header", "wrong number of slots", HEADER(s)->nr_slots++);
    REFUSED("object", follow, EDIT(s, plan_object, objects, 0).slot = 0);
    REFUSED("object", follow, EDIT(s, plan_object, objects, 1).slot--);
    REFUSED("object", follow, EDIT(s, plan_object, objects, 3).count = 0);
    REFUSED("object", follow, EDIT(s, plan_object, objects, 0).count = UINT32_MAX);
    REFUSED("image", follow, EDIT(s, plan_image, images, 0).slot++);
    REFUSED("IRQ", follow, EDIT(s, plan_irq, irqs, 0).slot++);
    REFUSED("port", follow, EDIT(s, plan_port, ports, 1).slot--);
    REFUSED("capability", follow, copy_of(s, "linux.ram")->count++);
    REFUSED("capability", "it comes too late, or is copied too early",
            copy_of(s, "linux.ram")->source = copy_of(s, "linux.ram")->index);
    REFUSED("capability", "it comes too late, or is copied too early",
            cap_in(s, "linux.cnode", VMM_VCPU_SLOT(0, VMM_VCPU_VCPU))->cnode = PLAN_NO_SLOT);
}

static void test_objects(void **state)
{
    static const char size[] = "objects of this type and size are not made";

    (void)state;
    REFUSED("object", size, object(s, "linux.config")->type = seL4_UntypedObject);
    REFUSED("object", size, object(s, "linux.config")->type = seL4_X86_IOPageTableObject);
    REFUSED("object", size, object(s, "linux.config")->type = 200);
    REFUSED("object", size, object(s, "linux.config")->size_bits = 13);
    REFUSED("object", size, object(s, "linux.ram")->size_bits = 22);
    REFUSED("object", size, object(s, "linux.tcb-0")->size_bits = 12);
    REFUSED("object", size, object(s, "init.last-cnode")->size_bits = 5);
    REFUSED("object", size, object(s, "linux.cnode")->size_bits = 64);
    REFUSED("object", size, object(s, "linux.sched-context-0")->size_bits = 6);
    REFUSED("object", "it is larger than the one before it",
            object(s, "linux.sched-context-0")->size_bits = 12);
    REFUSED("object", "its name or owner does not exist", object(s, "linux.tcb-0")->owner = 9);
    REFUSED("object", "its name or owner does not exist",
            object(s, "linux.tcb-0")->name = UINT32_MAX);
    REFUSED("component", "unknown kind", EDIT(s, plan_component, components, 0).kind = 0);
    REFUSED("component", "its name lies outside the strings",
            EDIT(s, plan_component, components, 0).name = UINT32_MAX);
}

static void test_devices_and_images(void **state)
{
    static const char outside[] = "its pages lie outside the image";

    (void)state;
    REFUSED("image", outside, EDIT(s, plan_image, images, 0).offset += 1);
    REFUSED("image", outside, EDIT(s, plan_image, images, 0).offset = 0);
    REFUSED("image", outside, EDIT(s, plan_image, images, 2).offset += 4096);
    REFUSED("image", outside, EDIT(s, plan_image, images, 1).offset = UINT64_MAX << 12);
    REFUSED("image", "its name or owner does not exist", EDIT(s, plan_image, images, 0).owner = 9);
    REFUSED("IRQ", "no such vector, level or polarity", EDIT(s, plan_irq, irqs, 0).vector = 108);
    REFUSED("IRQ", "no such vector, level or polarity", EDIT(s, plan_irq, irqs, 0).level = 2);
    REFUSED("IRQ", "its name or owner does not exist", EDIT(s, plan_irq, irqs, 0).owner = 9);
    REFUSED("port", "its last port is before its first", EDIT(s, plan_port, ports, 0).last = 0);
    REFUSED("port", "its name or owner does not exist", EDIT(s, plan_port, ports, 0).owner = 9);
}

static void test_paging(void **state)
{
    (void)state;
    REFUSED("paging", "its space is no address space",
            EDIT(s, plan_paging, paging, 0).space = slot_of(s, "linux.tcb-0"));
    REFUSED("paging", "its slots hold no paging structures",
            EDIT(s, plan_paging, paging, 0).slot = slot_of(s, "linux.config"));
    REFUSED("paging", "its slots hold no paging structures",
            EDIT(s, plan_paging, paging, 0).count = 1000);
    REFUSED("paging", "these paging structures do not belong into that space",
            EDIT(s, plan_paging, paging, 0).space = slot_of(s, "linux.vspace"));
    REFUSED("paging", "these paging structures do not belong into that space",
            EDIT(s, plan_paging, paging, s->plan.nr_paging - 1).space = slot_of(s, "linux.vspace"));
    REFUSED("paging", "its address is not aligned or too high",
            EDIT(s, plan_paging, paging, 2).address += 4096);
    REFUSED("paging", "its address is not aligned or too high",
            EDIT(s, plan_paging, paging, 0).address = 1ull << 48);
}

static void test_fills(void **state)
{
    (void)state;
    REFUSED("fill", "unknown kind, or empty", EDIT(s, plan_fill, fills, 0).kind = 7);
    REFUSED("fill", "its slot holds no 4 KiB frame",
            EDIT(s, plan_fill, fills, 0).frame = slot_of(s, "linux.ram"));
    REFUSED("fill", "its slot holds no 4 KiB frame",
            EDIT(s, plan_fill, fills, 0).frame = s->plan.images[0].slot);
    REFUSED("fill", "it does not fit into the frames", EDIT(s, plan_fill, fills, 0).length = 4097);
    REFUSED("fill", "it does not fit into the frames",
            EDIT(s, plan_fill, fills, 0).offset = UINT64_MAX);
    REFUSED("fill", "its bytes lie outside the image",
            EDIT(s, plan_fill, fills, 0).source = s->length);
    REFUSED("fill", "its bytes lie outside the image",
            EDIT(s, plan_fill, fills, 0).source = UINT64_MAX);
    REFUSED("fill", "its word crosses a page", {
        struct plan_fill *fill = &EDIT(s, plan_fill, fills, 1);
        *fill = (struct plan_fill){ .frame = slot_of(s, "linux.vmm.text"),
                                    .kind = PLAN_FILL_TSC_MHZ,
                                    .offset = 4094 };
    });
    REFUSED("fill", "its word crosses a page", {
        struct plan_fill *fill = &EDIT(s, plan_fill, fills, 1);
        *fill = (struct plan_fill){ .frame = slot_of(s, "linux.vmm.text"),
                                    .kind = PLAN_FILL_BOOT_TIME,
                                    .offset = 4090 };
    });
}

static struct plan_fill *fill_of(struct subject *s, uint32_t kind, const char *source)
{
    for (uint32_t i = 0; i < s->plan.nr_fills; i++) {
        const struct plan_fill *fill = &s->plan.fills[i];

        if (fill->kind == kind &&
            (source == NULL ||
             strcmp(plan_slot_name(&s->plan, (uint32_t)fill->source), source) == 0)) {
            return &EDIT(s, plan_fill, fills, i);
        }
    }
    fail_msg("no such fill");
    return NULL;
}

/* P10: a server may know where its clients' memory is, and nobody else's. */
static void test_addresses(void **state)
{
    static const char none[] = "its source is not frames";
    static const char stranger[] = "it tells where the memory of a stranger is";
    static const char mixed[] = "it mixes the memory of two components";

    (void)state;
    description = disks_text;
#define ADDRESSES(source) fill_of(s, PLAN_FILL_ADDRESSES, source)
    REFUSED("fill", none, ADDRESSES("linux.ram")->source = slot_of(s, "linux.cnode"));
    REFUSED("fill", none, ADDRESSES("linux.ram")->source = copy_of(s, "linux.ram")->index);
    REFUSED("fill", none, ADDRESSES("linux.ram")->source = s->plan.images[0].slot);
    REFUSED("fill", none, ADDRESSES("linux.ram")->source |= 1ull << 32);
    REFUSED("fill", none, ADDRESSES("linux.ram")->length += 8);
    REFUSED("fill", none, ADDRESSES("linux.ram")->length += 1);
    REFUSED("fill", none, ADDRESSES("linux.ram")->offset += 4);
    REFUSED("fill", "unknown kind, or empty", ADDRESSES("linux.ram")->length = 0);
    REFUSED("fill", "it does not fit into the frames", ADDRESSES("linux.ram")->offset += 4096);
    REFUSED("fill", stranger, ADDRESSES("linux.ram")->source = slot_of(s, "third.ram"));
    REFUSED("fill", stranger, ADDRESSES("linux.ram")->frame = slot_of(s, "other.config"));
    REFUSED("fill", stranger, ADDRESSES("linux.ram")->frame = slot_of(s, "console.config"));
    REFUSED("fill", stranger, ADDRESSES("sataserver.dma")->frame = slot_of(s, "linux.config"));
    REFUSED("fill", mixed,
            { ADDRESSES("linux.ram")->frame = slot_of(s, "sataserver.addresses-other"); });
    REFUSED("fill", mixed, {
        struct plan_fill *high = ADDRESSES("other.ram-high");

        high->source = slot_of(s, "linux.ram");
        high->length = 8;
    });
    REFUSED("fill", mixed, {
        struct plan_fill *own = ADDRESSES("sataserver.dma");

        own->frame = slot_of(s, "sataserver.addresses-linux");
        own->offset = 32 * 8;
    });
#undef ADDRESSES
    description = text;
}

/* P11 */
static void test_devices(void **state)
{
    static const char not_there[] = "its device is not there, or somebody else's";
    static const char none[] = "no such class, BAR or number of frames";

    (void)state;
    description = disks_text;
#define DEVICE(s)  (&EDIT(s, plan_device, devices, 0))
#define MESSAGE(s) (&EDIT(s, plan_irq, irqs, 0))
    REFUSED("device", none, DEVICE(s)->class_code = 1u << 24);
    REFUSED("device", none, DEVICE(s)->bar = 6);
    REFUSED("device", "its slots do not follow those before it", DEVICE(s)->count = 0);
    REFUSED("device", "its name does not exist, or its owner is no component",
            DEVICE(s)->owner = PLAN_OWNER_INIT);
    REFUSED("device", "its name does not exist, or its owner is no component",
            DEVICE(s)->name = UINT32_MAX);
    REFUSED("header", "too many components or devices",
            HEADER(s)->tables[PLAN_TABLE_DEVICES].count = PLAN_MAX_DEVICES + 1);
    REFUSED("IRQ", not_there, MESSAGE(s)->device = 1);
    REFUSED("IRQ", not_there, DEVICE(s)->owner = 1);
    REFUSED("IRQ", "unknown kind", MESSAGE(s)->kind = 2);
    REFUSED("IRQ", "its device has an interrupt already", {
        struct plan_irq *serial = &EDIT(s, plan_irq, irqs, 1);

        serial->kind = PLAN_IRQ_MESSAGE;
        serial->owner = MESSAGE(s)->owner;
    });
    REFUSED("fill", not_there, fill_of(s, PLAN_FILL_DEVICE, NULL)->source = 1);
    REFUSED("fill", not_there,
            fill_of(s, PLAN_FILL_DEVICE, NULL)->frame = slot_of(s, "linux.config"));
    REFUSED("mapping", "the frames belong to somebody else",
            map_of(s, "ahci")->space = slot_of(s, "console.vspace"));
    REFUSED("mapping", "a device's registers would be executable, or a guest's memory",
            map_of(s, "ahci")->attributes = 0);
    REFUSED("capability", "the component would hold what is not its own",
            cap_in(s, "console.cnode", CONSOLE_SLOT_IRQ)->source = DEVICE(s)->slot);
#undef DEVICE
#undef MESSAGE
    description = text;
}

/* P4: a component holds, maps and uses only what is its own. */
static void test_isolation(void **state)
{
    static const char not_own[] = "the component would hold what is not its own";
    static const char thread[] =
        "one of its objects is missing, of another kind or of another owner";

    (void)state;
    REFUSED("capability", not_own,
            cap_in(s, "linux.cnode", VMM_VCPU_SLOT(0, VMM_VCPU_VCPU))->source =
                slot_of(s, "init.last-cnode"));
    REFUSED("capability", not_own,
            cap_in(s, "linux.cnode", VMM_VCPU_SLOT(0, VMM_VCPU_VCPU))->source =
                slot_of(s, "bulkhead.reply"));
    REFUSED("capability", not_own, cap_in(s, "linux.cnode", VMM_SLOT_SUPERVISOR_EP)->rights = 3);
    REFUSED("capability", not_own, cap_in(s, "linux.cnode", VMM_SLOT_SUPERVISOR_EP)->rights = 5);
    REFUSED("capability", not_own, cap_in(s, "linux.cnode", VMM_SLOT_SUPERVISOR_EP)->badge = 0);
    REFUSED("capability", not_own,
            cap_in(s, "linux.cnode", VMM_SLOT_SUPERVISOR_EP)->badge = 1 | PLAN_BADGE_FAULT);
    REFUSED("capability", not_own, EDIT(s, plan_port, ports, 2).owner = PLAN_OWNER_INIT);
    REFUSED("mapping", "the frames belong to somebody else",
            object(s, "linux.config")->owner = PLAN_OWNER_INIT);
    REFUSED("mapping", "the frames belong to somebody else",
            EDIT(s, plan_image, images, 0).owner = PLAN_OWNER_INIT);
    REFUSED("mapping", "its space is no address space of a component",
            map_of(s, "linux.config")->space = PLAN_SLOT_INIT_VSPACE);
    REFUSED("mapping", "its space is no address space of a component",
            map_of(s, "linux.config")->space = slot_of(s, "linux.tcb-0"));
    REFUSED("mapping", "its slots hold no frames",
            map_of(s, "linux.config")->frame = slot_of(s, "linux.cnode"));
    REFUSED("binding", "the interrupt belongs to somebody else", {
        EDIT(s, plan_irq, irqs, 0).owner = PLAN_OWNER_INIT;
        cap_in(s, "console.cnode", CONSOLE_SLOT_IRQ)->source = slot_of(s, "console.tcb");
    });
    REFUSED("thread", thread, EDIT(s, plan_thread, threads, 0).tcb = PLAN_NO_SLOT);
    REFUSED("thread", thread,
            EDIT(s, plan_thread, threads, 0).cnode = slot_of(s, "init.last-cnode"));
    REFUSED("thread", thread, EDIT(s, plan_thread, threads, 0).vcpu = slot_of(s, "linux.tcb-0"));
    REFUSED("thread", thread, EDIT(s, plan_thread, threads, 0).vspace = PLAN_SLOT_INIT_VSPACE);
    REFUSED("thread", thread,
            EDIT(s, plan_thread, threads, 0).buffer_frame = s->plan.images[0].slot + 0x10000);
    REFUSED("thread", "its name or owner does not exist",
            EDIT(s, plan_thread, threads, 0).owner = PLAN_OWNER_INIT);
}

static struct plan_channel *channel(struct subject *s, uint32_t row)
{
    return &EDIT(s, plan_channel, channels, row);
}

/* P8: the ways in which a declaration may lie. */
static void test_channels(void **state)
{
    static const char no_own[] = "an end has no notification of its own";
    static const char one_row[] = "its frames are not one row of 4 KiB frames";

    (void)state;
    REFUSED("channel", "an end is no component", channel(s, 0)->ends[0].owner = PLAN_OWNER_INIT);
    REFUSED("channel", "an end is no component", channel(s, 0)->ends[1].owner = 9);
    REFUSED("channel", no_own, channel(s, 0)->ends[1].owner = 3);
    REFUSED("channel", no_own, channel(s, 0)->ends[0].notification = slot_of(s, "console.tcb"));
    REFUSED("channel", no_own, channel(s, 0)->ends[0].notification = PLAN_NO_SLOT);
    REFUSED("channel", "an end would be signalled without a badge",
            channel(s, 0)->ends[1].badge = 0);
    REFUSED("channel", "its name lies outside the strings", channel(s, 0)->name = UINT32_MAX);
    REFUSED("channel", "its ends are one component, or none is a server",
            channel(s, 0)->ends[1] = channel(s, 0)->ends[0]);
    REFUSED("channel", "its ends are one component, or none is a server",
            channel(s, 0)->ends[0] = channel(s, 1)->ends[1]);
    REFUSED("channel", one_row, channel(s, 0)->count = 2);
    REFUSED("channel", one_row, channel(s, 0)->frames++);
    REFUSED("channel", one_row, channel(s, 0)->frames = slot_of(s, "linux.ram"));
    REFUSED("channel", "its frames belong to neither end",
            object(s, "console.channel-linux")->owner = 3);
    REFUSED("channel", "its frames are another channel's, too",
            channel(s, 1)->frames = channel(s, 0)->frames);
    REFUSED("channel", "its signals would be taken for another channel's",
            channel(s, 1)->ends[0].badge = SERVER_BADGE_CLIENT(0) | SERVER_BADGE_CLIENT(5));
}

/* Instead of what it held, the slot holds what is its component's own. */
static void harmless(struct subject *s, const char *cnode, uint32_t index, const char *own)
{
    cap_in(s, cnode, index)->source = slot_of(s, own);
    cap_in(s, cnode, index)->badge = 0;
}

/* P4, P8: what is shared and is not a declared channel. */
static void test_beside_channels(void **state)
{
    static const char not_own[] = "the component would hold what is not its own";
    static const char executable[] = "a channel's frames would be executable, or a guest's memory";

    (void)state;
    /* No declaration at all. */
    REFUSED("capability", not_own, HEADER(s)->tables[PLAN_TABLE_CHANNELS].count = 0);
    REFUSED("mapping", "the frames belong to somebody else", {
        HEADER(s)->tables[PLAN_TABLE_CHANNELS].count = 1;
        harmless(s, "console.cnode", SERVER_SLOT_CLIENT + 1, "console.tcb");
        harmless(s, "console.cnode", SERVER_SLOT_CLIENT + 2, "console.tcb");
        harmless(s, "console.cnode", SERVER_SLOT_SUPERVISOR, "console.tcb");
        harmless(s, "bulkhead.cnode", SUPERVISOR_SLOT_CONSOLE, "bulkhead.tcb");
        harmless(s, "bulkhead.cnode", SUPERVISOR_SLOT_CONTROL, "bulkhead.tcb");
        harmless(s, "other.cnode", VMM_SLOT_CONSOLE, "other.tcb-0");
    });
    /* A signal to a third one, as somebody else, of another kind, or with more rights. */
    REFUSED("capability", not_own,
            cap_in(s, "linux.cnode", VMM_SLOT_CONSOLE)->source =
                slot_of(s, "other.notification-0"));
    REFUSED("capability", not_own,
            cap_in(s, "linux.cnode", VMM_SLOT_CONSOLE)->badge = SERVER_BADGE_CLIENT(1));
    REFUSED("capability", not_own, cap_in(s, "linux.cnode", VMM_SLOT_CONSOLE)->badge = 0);
    REFUSED("capability", not_own, cap_in(s, "linux.cnode", VMM_SLOT_CONSOLE)->rights = 2);
    REFUSED("capability", not_own, cap_in(s, "linux.cnode", VMM_SLOT_CONSOLE)->rights = 3);
    REFUSED("capability", not_own, {
        cap_in(s, "linux.cnode", VMM_SLOT_CONSOLE)->source = slot_of(s, "console.tcb");
        cap_in(s, "linux.cnode", VMM_SLOT_CONSOLE)->badge = 0;
    });
    REFUSED("capability", not_own, {
        cap_in(s, "linux.cnode", VMM_SLOT_CONSOLE)->source = slot_of(s, "console.channel-linux");
        cap_in(s, "linux.cnode", VMM_SLOT_CONSOLE)->badge = 0;
    });
    /* The frames of another's channel; of a server's own; executable; for a guest; as a buffer. */
    REFUSED("mapping", "the frames belong to somebody else",
            copy_of(s, "console.channel-linux")->source = slot_of(s, "console.channel-other"));
    REFUSED("mapping", "the frames belong to somebody else",
            { copy_of(s, "console.channel-linux")->source = slot_of(s, "console.data"); });
    REFUSED("mapping", executable, map_of(s, "console.channel-linux")->attributes = 0;
            map_of(s, "console.channel-linux")->rights = 2);
    REFUSED("thread", "its IPC buffer is a channel's",
            EDIT(s, plan_thread, threads, s->plan.nr_threads - 2).buffer_frame =
                slot_of(s, "console.channel-linux"));
    /* P9 */
    REFUSED("thread", "a server would run a guest", {
        uint32_t console = s->plan.nr_threads - 2;

        object(s, "linux.vcpu-0")->owner = 4;
        cap_in(s, "linux.cnode", VMM_VCPU_SLOT(0, VMM_VCPU_VCPU))->source =
            slot_of(s, "linux.tcb-0");
        EDIT(s, plan_thread, threads, 0).vcpu = PLAN_NO_SLOT;
        EDIT(s, plan_thread, threads, console).vcpu = slot_of(s, "linux.vcpu-0");
    });
}

static void test_mappings(void **state)
{
    static const char overlap[] = "it overlaps the one before it, or is out of order";

    (void)state;
    REFUSED("mapping", "an image page would be writable", map_of(s, "linux.kernel")->rights = 3);
    REFUSED("mapping", "a page would be writable and executable",
            map_of(s, "linux.vmm.text")->rights = 3);
    REFUSED("mapping", "a page would be writable and executable",
            map_of(s, "linux.vmm.data")->attributes = 0);
    REFUSED("mapping", "its address is not aligned or too high",
            map_of(s, "linux.kernel")->address += 1);
    REFUSED("mapping", "its address is not aligned or too high",
            map_of(s, "linux.ram")->address = (1ull << 47) - (2 << 20));
    REFUSED("mapping", overlap, map_of(s, "linux.vmm.text")->address = 0x400000);
    REFUSED("mapping", overlap, map_of(s, "linux.vmm.data")->address = 0x402000);
    REFUSED("mapping", overlap, map_of(s, "linux.vmm.data")->address = 0x100000);
}

static void test_caps(void **state)
{
    (void)state;
    REFUSED("capability", "its source holds nothing, or different things",
            cap_in(s, "linux.cnode", VMM_VCPU_SLOT(0, VMM_VCPU_VCPU))->source =
                HEADER(s)->nr_slots);
    REFUSED("capability", "its source holds nothing, or different things",
            cap_in(s, "linux.cnode", VMM_VCPU_SLOT(0, VMM_VCPU_VCPU))->count = 2);
    REFUSED("capability", "its source holds nothing, or different things",
            cap_in(s, "linux.cnode", VMM_VCPU_SLOT(0, VMM_VCPU_VCPU))->source = PLAN_NO_SLOT);
    REFUSED("capability", "no such rights",
            cap_in(s, "linux.cnode", VMM_VCPU_SLOT(0, VMM_VCPU_VCPU))->rights = 16);
    REFUSED("capability", "what it copies cannot be badged",
            cap_in(s, "linux.cnode", VMM_VCPU_SLOT(0, VMM_VCPU_VCPU))->badge = 1);
    REFUSED("capability", "the CNode has no such slot",
            cap_in(s, "linux.cnode", VMM_VCPU_SLOT(0, VMM_VCPU_VCPU))->index = 256);
    REFUSED("capability", "the CNode has no such slot",
            cap_in(s, "linux.cnode", VMM_VCPU_SLOT(0, VMM_VCPU_VCPU))->index = 0);
    REFUSED("capability", "its CNode is none",
            cap_in(s, "linux.cnode", VMM_VCPU_SLOT(0, VMM_VCPU_VCPU))->cnode =
                slot_of(s, "linux.tcb-0"));
    REFUSED("binding", "its slot holds no IRQ handler",
            EDIT(s, plan_binding, bindings, 0).irq = slot_of(s, "linux.tcb-0"));
    REFUSED("binding", "its slot holds no notification",
            EDIT(s, plan_binding, bindings, 0).notification = slot_of(s, "linux.tcb-0"));
}

static void test_time_and_threads(void **state)
{
    static const char faults[] = "its faults would not reach the supervisor under its name";

    (void)state;
    REFUSED("context", "its slot holds no scheduling context",
            EDIT(s, plan_context, contexts, 0).slot = slot_of(s, "linux.tcb-0"));
    REFUSED("context", "no such budget and period",
            EDIT(s, plan_context, contexts, 0).budget_us = 10001);
    REFUSED("context", "no such budget and period",
            EDIT(s, plan_context, contexts, 0).budget_us = 19);
    REFUSED("context", "no such budget and period",
            EDIT(s, plan_context, contexts, 0).period_us = UINT64_MAX);
    REFUSED("context", "the scheduling context has no room for so many refills",
            EDIT(s, plan_context, contexts, 0).extra_refills = 9);
    REFUSED("thread", faults, EDIT(s, plan_thread, threads, 0).fault_endpoint = PLAN_NO_SLOT);
    REFUSED("thread", faults,
            EDIT(s, plan_thread, threads, 0).fault_endpoint = slot_of(s, "bulkhead.endpoint"));
    REFUSED("thread", faults, copy_of(s, "bulkhead.endpoint")->badge = 1);
    REFUSED("thread", faults, copy_of(s, "bulkhead.endpoint")->rights = 15);
    REFUSED("thread", "its CNode has another size",
            EDIT(s, plan_thread, threads, 0).cnode_bits = 7);
    REFUSED("thread", "its priority is too high", EDIT(s, plan_thread, threads, 0).priority = 255);
    REFUSED("thread", "its priority is too high",
            EDIT(s, plan_thread, threads, 0).max_priority = 101);
    REFUSED("thread", "its entry point or IPC buffer is not a good address",
            EDIT(s, plan_thread, threads, 0).rip = 1ull << 63);
    REFUSED("thread", "its entry point or IPC buffer is not a good address",
            EDIT(s, plan_thread, threads, 0).buffer_address += 8);
}

/* P6 */
static void test_last_cnode(void **state)
{
    (void)state;
    REFUSED("capability", "init would keep something",
            cap_in(s, "linux.cnode", VMM_SLOT_CONSOLE)->cnode = slot_of(s, "init.last-cnode");
            cap_in(s, "init.last-cnode", VMM_SLOT_CONSOLE)->index = 1);
    REFUSED("header", "init's last CNode is none",
            HEADER(s)->last_cnode = slot_of(s, "linux.cnode"));
    REFUSED("header", "init's last CNode is none", HEADER(s)->last_cnode_bits = 5);
}

/* P12 */
static void test_supervisor(void **state)
{
    static const char not_clear[] = "it is not clear who the supervisor is";
    static const char not_own[] = "the component would hold what is not its own";

    (void)state;
    REFUSED("component", not_clear, HEADER(s)->supervisor++);
    REFUSED("component", not_clear,
            EDIT(s, plan_component, components, 1).kind = PLAN_COMPONENT_SUPERVISOR);
    REFUSED("component", not_clear,
            EDIT(s, plan_component, components, 0).kind = PLAN_COMPONENT_SERVER);
    REFUSED("component", "unknown kind", EDIT(s, plan_component, components, 0).kind = 4);
    /* Threads of VMs, and nothing else of theirs; no threads of servers'. */
    REFUSED("capability", not_own,
            cap_in(s, "bulkhead.cnode", SUPERVISOR_SLOT_TCB)->source = slot_of(s, "linux.vcpu-0"));
    REFUSED("capability", not_own,
            cap_in(s, "bulkhead.cnode", SUPERVISOR_SLOT_TCB)->source = slot_of(s, "linux.cnode"));
    REFUSED("capability", not_own,
            cap_in(s, "bulkhead.cnode", SUPERVISOR_SLOT_TCB)->source = slot_of(s, "console.tcb"));
    REFUSED("thread", "the supervisor could not stop it",
            harmless(s, "bulkhead.cnode", SUPERVISOR_SLOT_TCB, "bulkhead.tcb"));
    REFUSED("channel", "its signals would be taken for messages to the supervisor",
            channel(s, 2)->ends[1].badge |= PLAN_BADGE_FAULT | 2);
    /* Nobody else holds them. */
    REFUSED("capability", not_own,
            cap_in(s, "bulkhead.cnode", SUPERVISOR_SLOT_TCB)->cnode = slot_of(s, "console.cnode"));
}

/* What init would do with an accepted plan stays within the plan. */
static void use(const struct subject *s)
{
    const struct plan *plan = &s->plan;
    struct plan_slot slot;

    for (uint32_t i = 0; i < plan->nr_fills; i++) {
        const struct plan_fill *fill = &plan->fills[i];

        assert_true(fill->kind != PLAN_FILL_BYTES ||
                    (fill->source <= s->length && fill->length <= s->length - fill->source));
    }
    for (uint32_t i = 0; i < plan->nr_images; i++) {
        assert_true(plan->images[i].offset + plan->images[i].count * 4096ull <= s->length);
    }
    for (uint32_t i = 0; i < plan->header->nr_slots; i++) {
        assert_non_null(plan_slot_name(plan, i));
        assert_true(i == 0 || plan_slots_find(plan, i, 1, &slot));
        assert_true(i == 0 || slot.type != seL4_UntypedObject || slot.source != PLAN_SOURCE_OBJECT);
    }
}

static void test_damage(void **state)
{
    struct subject subject;
    uint8_t *original;
    uint64_t used;
    unsigned accepted = 0;

    (void)state;
    description = disks_text; /* it has rows in every table */
    subject_make(&subject);
    used = HEADER(&subject)->plan_bytes;
    original = malloc(used);
    memcpy(original, subject.bytes, used);
    srand(1);
    for (int round = 0; round < 20000; round++) {
        for (int changes = rand() % 3; changes >= 0; changes--) {
            size_t at = (size_t)rand() % used;

            subject.bytes[at] = (uint8_t)(rand() % 3 == 0 ? subject.bytes[at] ^ 1 : rand());
        }
        if (plan_open(&subject.plan, subject.bytes, subject.length, &subject.problem) &&
            plan_check(&subject.plan, &subject.problem)) {
            use(&subject);
            accepted++;
        }
        memcpy(subject.bytes, original, used);
    }
    /* Names, padding and the like may change freely. */
    assert_true(accepted > 0);
    description = text;
    free(original);
    subject_free(&subject);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_objects),
        cmocka_unit_test(test_devices_and_images),
        cmocka_unit_test(test_paging),
        cmocka_unit_test(test_fills),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_isolation),
        cmocka_unit_test(test_channels),
        cmocka_unit_test(test_beside_channels),
        cmocka_unit_test(test_mappings),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_time_and_threads),
        cmocka_unit_test(test_supervisor),
        cmocka_unit_test(test_last_cnode),
        cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
