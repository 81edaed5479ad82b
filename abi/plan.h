/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot plan: what the host tool makes of a system description and the initial task carries out.
 * The tool decides every size, address, slot and order; init creates what stands here, in the order
 * of the tables, and nothing else.
 *
 * Image      The initial task's ELF file is init's own program followed, at the next page
 *            (init's __image_end), by one read-only segment:
 *
 *                struct plan_header | tables | strings | bytes for fills | file | file | ...
 *                                                                        ^ pages, zero padded
 *
 *            All offsets count bytes from the header.
 * Slots      Capabilities are named by plan slots 1 .. nr_slots - 1; plan slot s is slot
 *            empty.start + s of the initial CNode (bootinfo). 0 means none. The tables that make
 *            capabilities use up the slots in the order OBJECTS, IMAGES, IRQS, PORTS, DEVICES, then
 *            the CAPS whose cnode is none, each row from the slot at which the row before it ended.
 * Owners     Objects belong to init (PLAN_OWNER_INIT) or to component n, which is row n - 1 of the
 *            table COMPONENTS. One of them is the supervisor, which is told how the others end. Two
 *            components are connected by the rows of the table CHANNELS, by messages to the
 *            supervisor and its power over VMs' threads, and by nothing else: init refuses a plan
 *            that does it in another way (user/init/plan_check.h has the rules).
 * Devices    A machine may lack a device of the table DEVICES, or some of its pages. init then
 *            leaves out what the plan says about those frames and interrupts; a fill tells the
 *            owner.
 * Trust      init treats a plan as data that may be wrong: everything is bounded before use.
 * Layout     fixed-width little-endian fields at natural alignment, no padding; rows of a table
 *            follow each other. A reader refuses another version.
 */
#ifndef ABI_PLAN_H
#define ABI_PLAN_H

#include <stddef.h>
#include <stdint.h>

#define PLAN_MAGIC   0x6e616c702e6b6c62ull /* "blk.plan" in memory */
#define PLAN_VERSION 4u

#define PLAN_PAGE_BYTES 4096u

#define PLAN_MAX_DEVICES 8u

#define PLAN_OWNER_INIT 0u
#define PLAN_NO_SLOT    0u
/* As a mapping's space: the initial task's own VSpace. */
#define PLAN_SLOT_INIT_VSPACE 0xffffffffu

/*
 * Badges on the supervisor's endpoint: the component's number for its own messages; with
 * PLAN_BADGE_FAULT added for the faults that the kernel sends in its name, so that a component
 * cannot forge one.
 */
#define PLAN_BADGE_FAULT (1ull << 32)

/* Attributes of a mapping besides those of the kernel's API: see bulkhead_X86_ExecuteNever. */
#define PLAN_ATTRIBUTE_EXECUTE_NEVER 8u

enum plan_table_id {
    PLAN_TABLE_COMPONENTS,
    PLAN_TABLE_OBJECTS,  /* retyped from untyped memory, in this order: sizes never grow */
    PLAN_TABLE_IMAGES,   /* read-only copies of the initial task's own image frames */
    PLAN_TABLE_IRQS,     /* handlers of I/O APIC pins and of devices' messages */
    PLAN_TABLE_PORTS,    /* I/O port ranges */
    PLAN_TABLE_DEVICES,  /* registers of PCI functions */
    PLAN_TABLE_PAGING,   /* paging structures, upper levels before lower ones */
    PLAN_TABLE_FILLS,    /* what stands in frames; elsewhere they are zero */
    PLAN_TABLE_CAPS,     /* copies of capabilities: into the initial CNode, then into others */
    PLAN_TABLE_MAPPINGS, /* frames in address spaces, ascending by space, then by address */
    PLAN_TABLE_BINDINGS, /* IRQ handler to notification */
    PLAN_TABLE_CONTEXTS, /* scheduling contexts */
    PLAN_TABLE_THREADS,  /* configured in this order, then started in this order */
    PLAN_TABLE_CHANNELS, /* what two components share; creates nothing, allows rows of the others */
    PLAN_NR_TABLES
};

struct plan_table {
    uint32_t offset; /* a multiple of 8 */
    uint32_t count;  /* rows */
};

struct plan_header {
    uint64_t magic;
    uint32_t version;
    uint32_t nr_slots;
    uint64_t plan_bytes;  /* header, tables and strings */
    uint64_t image_bytes; /* all of the segment; a multiple of PLAN_PAGE_BYTES */
    struct plan_table tables[PLAN_NR_TABLES];
    uint32_t strings_offset; /* names are NUL-terminated texts, given by their offset in here */
    uint32_t strings_bytes;
    uint32_t name;       /* of the system */
    uint32_t supervisor; /* the component */
    /*
     * A page of init's VSpace, free, through which frames are filled. Its paging structures are in
     * the table PAGING.
     */
    uint64_t scratch_address;
    /*
     * A CNode of init's, empty in the plan, for which it exchanges its CSpace in the end. It puts
     * its own thread there, to stop itself; all other capabilities are then out of everybody's
     * reach, and so is the authority they carry.
     */
    uint32_t last_cnode;
    uint32_t last_cnode_bits; /* radix; its guard is the rest of 64, zero */
};

enum plan_component_kind {
    PLAN_COMPONENT_VM = 1,         /* a virtual machine with its monitor */
    PLAN_COMPONENT_SERVER = 2,     /* a program that serves others through channels */
    PLAN_COMPONENT_SUPERVISOR = 3, /* the program that hears of ends, and stops and starts VMs */
};

struct plan_component {
    uint32_t name;
    uint32_t kind;
};

/* count objects of one type and size. */
struct plan_object {
    uint32_t name;
    uint32_t slot; /* of the first */
    uint32_t count;
    uint16_t owner;
    uint8_t type;      /* seL4_ObjectType and its relatives */
    uint8_t size_bits; /* log2 of the object's bytes */
};

/* count pages of the image, from offset on. */
struct plan_image {
    uint32_t name;
    uint32_t slot;
    uint32_t count;
    uint32_t owner;
    uint64_t offset; /* a multiple of PLAN_PAGE_BYTES */
};

enum plan_irq_kind {
    PLAN_IRQ_PIN = 0,     /* of an I/O APIC */
    PLAN_IRQ_MESSAGE = 1, /* the message-signalled interrupt of a device */
};

struct plan_irq {
    uint32_t name;
    uint32_t slot;
    uint32_t owner;
    uint32_t vector; /* 0 .. VECTOR_MAX */
    uint32_t kind;
    uint32_t device; /* PLAN_IRQ_MESSAGE: row of DEVICES; the rest is 0 then */
    uint32_t ioapic;
    uint32_t pin;
    uint32_t level;    /* 1 = level triggered */
    uint32_t polarity; /* 1 = active low */
};

struct plan_port {
    uint32_t name;
    uint32_t slot;
    uint32_t owner;
    uint16_t first; /* inclusive range */
    uint16_t last;
};

/*
 * A function on the PCI bus: the frames over one of its BARs' memory. init switches on its memory
 * and its bus mastering, and off its interrupt pin. Functions are counted as they lie on the buses.
 */
struct plan_device {
    uint32_t name;
    uint32_t slot; /* of the first frame */
    uint32_t owner;
    uint32_t class_code; /* base class << 16 | sub-class << 8 | programming interface */
    uint32_t number;     /* among the functions of that class, from 0 */
    uint32_t bar;        /* 0 .. 5 */
    uint32_t count;      /* 4 KiB frames at most */
    uint32_t reserved;
};

/* What became of a device. */
enum plan_device_state {
    PLAN_DEVICE_MISSING = 0, /* there is no such function */
    PLAN_DEVICE_FOUND = 1,
    PLAN_DEVICE_NO_REGISTERS = 2, /* the BAR has no memory that could be given to one owner alone */
    PLAN_DEVICE_NO_MESSAGES = 3,  /* it has no message-signalled interrupts */
};

enum plan_fill_kind {
    PLAN_FILL_BYTES = 1,   /* length bytes at image offset `source` */
    PLAN_FILL_TSC_MHZ = 2, /* a uint32_t: frequency of the time stamp counter in MHz */
    /* length / 8 uint64_t: physical addresses of the frames in the slots from `source` on */
    PLAN_FILL_ADDRESSES = 3,
    /* two uint32_t: enum plan_device_state of row `source` of DEVICES, and how many frames it has
     */
    PLAN_FILL_DEVICE = 4,
    /* a uint64_t: seconds since 1970 when the time stamp counter was 0; 0 if nobody knows */
    PLAN_FILL_BOOT_TIME = 5,
};

/* Bytes in the 4 KiB frames frame, frame + 1, ..., from byte `offset` of the first on. */
struct plan_fill {
    uint32_t frame;
    uint32_t kind;
    uint64_t offset;
    uint64_t length;
    uint64_t source;
};

/* count paging structures, mapped one after the other from address on. */
struct plan_paging {
    uint32_t space; /* slot of a PML4 or EPT PML4, or PLAN_SLOT_INIT_VSPACE */
    uint32_t slot;
    uint32_t count;
    uint32_t reserved;
    uint64_t address; /* a multiple of what one structure spans */
};

/* count capabilities from source on, copied with the same rights to index, index + 1, ... */
struct plan_cap {
    uint32_t cnode; /* slot of a CNode, or none: the initial CNode, index is then a plan slot */
    uint32_t index;
    uint32_t source;
    uint32_t count;
    uint64_t rights; /* seL4_CapRights_t */
    uint64_t badge;  /* of an endpoint or notification; 0 = none */
};

/* count frames of one size, mapped one after the other from address on. */
struct plan_mapping {
    uint32_t space;
    uint32_t frame;
    uint32_t count;
    uint16_t rights;     /* seL4_CapRights_t */
    uint16_t attributes; /* seL4_X86_VMAttributes, or seL4_X86_EPT_VMAttributes in an EPT */
    uint64_t address;
};

struct plan_binding {
    uint32_t irq;          /* slot of the handler */
    uint32_t notification; /* slot, with the badge that an interrupt signals */
};

struct plan_context {
    uint32_t slot;
    uint32_t core;
    uint64_t budget_us;
    uint64_t period_us; /* budget == period: round robin */
    uint32_t extra_refills;
    uint32_t reserved;
    uint64_t badge;
};

struct plan_thread {
    uint32_t name;
    uint32_t owner;
    uint32_t tcb;
    uint32_t cnode;
    uint32_t cnode_bits; /* guard: the rest of 64, zero */
    uint32_t vspace;
    uint32_t buffer_frame;
    uint32_t fault_endpoint;
    uint32_t context;
    uint32_t notification;   /* bound to the thread; may be none */
    uint32_t vcpu;           /* may be none */
    uint32_t ept;            /* may be none */
    uint64_t buffer_address; /* also the thread's FS base, see user/libsel4 */
    uint64_t rip;
    uint64_t rsp;
    uint64_t rdi;
    uint64_t rsi;
    uint32_t priority;
    uint32_t max_priority; /* MCP */
};

/* One end of a channel. */
struct plan_channel_end {
    uint32_t owner;
    uint32_t notification; /* slot of this end's own, signalled by the other end ... */
    uint64_t badge;        /* ... with exactly this badge; not 0 */
};

/*
 * Two components share frames, all of one row of OBJECTS, and may signal each other. Either end may
 * own the frames.
 */
struct plan_channel {
    uint32_t name;
    uint32_t frames; /* slot of the first */
    uint32_t count;
    uint32_t reserved;
    struct plan_channel_end ends[2];
};

_Static_assert(sizeof(struct plan_header) == 32 + PLAN_NR_TABLES * 8 + 24 + 8, "layout");
_Static_assert(sizeof(struct plan_component) == 8, "layout");
_Static_assert(sizeof(struct plan_object) == 16, "layout");
_Static_assert(sizeof(struct plan_image) == 24, "layout");
_Static_assert(sizeof(struct plan_irq) == 40, "layout");
_Static_assert(sizeof(struct plan_device) == 32, "layout");
_Static_assert(sizeof(struct plan_port) == 16, "layout");
_Static_assert(sizeof(struct plan_fill) == 32, "layout");
_Static_assert(sizeof(struct plan_paging) == 24, "layout");
_Static_assert(sizeof(struct plan_cap) == 32, "layout");
_Static_assert(sizeof(struct plan_mapping) == 24, "layout");
_Static_assert(sizeof(struct plan_binding) == 8, "layout");
_Static_assert(sizeof(struct plan_context) == 40, "layout");
_Static_assert(sizeof(struct plan_thread) == 96, "layout");
_Static_assert(sizeof(struct plan_channel) == 48, "layout");

#endif
