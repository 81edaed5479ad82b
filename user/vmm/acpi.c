/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/acpi.h"

#include "lib/string.h"
#include "user/vmm/ioapic.h"
#include "user/vmm/lapic.h"
#include "user/vmm/mailbox.h"
#include "user/vmm/platform.h"

#define PACKED __attribute__((packed))

struct acpi_header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision;
    char creator[4];
    uint32_t creator_revision;
} PACKED;

struct acpi_address {
    uint8_t space; /* 1 = I/O ports */
    uint8_t bits, offset, access;
    uint64_t address;
} PACKED;

struct acpi_rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt, length;
    uint64_t xsdt;
    uint8_t extended_checksum, reserved[3];
} PACKED;

struct acpi_xsdt {
    struct acpi_header header;
    uint64_t tables[3];
} PACKED;

struct acpi_facs {
    char signature[4];
    uint32_t length, hardware_signature, waking_vector, global_lock, flags;
    uint64_t x_waking_vector;
    uint8_t version, reserved[31];
} PACKED;

struct acpi_fadt {
    struct acpi_header header;
    uint32_t facs, dsdt;
    uint8_t reserved_1, profile;
    uint16_t sci;
    uint32_t smi_command;
    uint8_t acpi_enable, acpi_disable, s4bios, pstate_control;
    uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer, gpe0, gpe1;
    uint8_t pm1_event_bytes, pm1_control_bytes, pm2_control_bytes, pm_timer_bytes;
    uint8_t gpe0_bytes, gpe1_bytes, gpe1_base, cstate_control;
    uint16_t c2_latency, c3_latency, flush_size, flush_stride;
    uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
    uint16_t boot_architecture;
    uint8_t reserved_2;
    uint32_t flags;
    struct acpi_address reset;
    uint8_t reset_value;
    uint16_t arm_boot;
    uint8_t minor;
    uint64_t x_facs, x_dsdt;
    struct acpi_address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control;
    struct acpi_address x_pm2_control, x_pm_timer, x_gpe0, x_gpe1, sleep_control, sleep_status;
    uint64_t hypervisor;
} PACKED;

struct acpi_madt {
    struct acpi_header header;
    uint32_t lapic_address, flags;
} PACKED;

struct acpi_madt_lapic {
    uint8_t type, length, processor, apic_id;
    uint32_t flags;
} PACKED;

struct acpi_madt_ioapic {
    uint8_t type, length, id, reserved;
    uint32_t address, gsi_base;
} PACKED;

struct acpi_madt_override {
    uint8_t type, length, bus, irq;
    uint32_t gsi;
    uint16_t flags;
} PACKED;

struct acpi_madt_nmi {
    uint8_t type, length, processor;
    uint16_t flags;
    uint8_t lint;
} PACKED;

struct acpi_madt_wakeup {
    uint8_t type, length;
    uint16_t version;
    uint32_t reserved;
    uint64_t mailbox;
} PACKED;

struct acpi_mcfg {
    struct acpi_header header;
    uint64_t reserved;
    uint64_t base;
    uint16_t segment;
    uint8_t first_bus, last_bus;
    uint32_t reserved_2;
} PACKED;

_Static_assert(sizeof(struct acpi_header) == 36, "ACPI 5.2.6");
_Static_assert(sizeof(struct acpi_rsdp) == 36, "ACPI 5.2.5.3");
_Static_assert(sizeof(struct acpi_facs) == 64, "ACPI 5.2.10");
_Static_assert(sizeof(struct acpi_fadt) == 276, "ACPI 5.2.9, revision 6");
_Static_assert(sizeof(struct acpi_madt) == 44, "ACPI 5.2.12");
_Static_assert(sizeof(struct acpi_madt_wakeup) == 16, "ACPI 5.2.12.19");
_Static_assert(sizeof(struct acpi_mcfg) == 60, "PCI firmware 4.1.2");

/* FADT flags and boot architecture. */
#define FADT_WBINVD          (1u << 0)
#define FADT_PROC_C1         (1u << 2)
#define FADT_NO_POWER_BUTTON (1u << 4)
#define FADT_NO_SLEEP_BUTTON (1u << 5)
#define FADT_NO_RTC_WAKE     (1u << 6)
#define FADT_RESET           (1u << 10)
#define FADT_HEADLESS        (1u << 12)
#define BOOT_LEGACY_DEVICES  (1u << 0) /* not bit 1: there is no keyboard controller */
#define BOOT_NO_VGA          (1u << 2)
#define BOOT_NO_ASPM         (1u << 4)

#define CMOS_CENTURY 0x32

#define MADT_PCAT_COMPATIBLE 1u
#define MADT_LAPIC_ENABLED   1u

/* Where the next table goes. */
struct writer {
    const struct guest_ram *ram;
    uint64_t at;
    bool failed;
};

static uint8_t sum(const void *bytes, uint32_t length)
{
    const uint8_t *byte = bytes;
    uint8_t total = 0;

    for (uint32_t i = 0; i < length; i++) {
        total = (uint8_t)(total + byte[i]);
    }
    return total;
}

static void header_init(struct acpi_header *header, const char *signature, uint8_t revision,
                        size_t length)
{
    memcpy(header->signature, signature, 4);
    header->length = (uint32_t)length;
    header->revision = revision;
    memcpy(header->oem, "BULKHD", 6);
    memcpy(header->oem_table, "BULKHEAD", 8);
    header->oem_revision = 1;
    memcpy(header->creator, "BLKH", 4);
    header->creator_revision = 1;
}

static uint64_t put(struct writer *writer, const void *bytes, uint32_t length)
{
    uint64_t address = writer->at;

    if (length > ACPI_BASE + ACPI_BYTES - address ||
        !guest_ram_write(writer->ram, gpa(address), bytes, length)) {
        writer->failed = true;
        return 0;
    }
    writer->at = (address + length + 15) & ~15ull;
    return address;
}

/* Completes the checksum of a table that begins with a header, and writes it. */
static uint64_t put_table(struct writer *writer, void *table)
{
    struct acpi_header *header = table;

    header->checksum = 0;
    header->checksum = (uint8_t)-sum(table, header->length);
    return put(writer, table, header->length);
}

static struct acpi_address port(uint16_t number, uint8_t bytes)
{
    return (struct acpi_address){ .space = 1, .bits = (uint8_t)(bytes * 8), .address = number };
}

static uint64_t put_facs(struct writer *writer)
{
    struct acpi_facs facs = { .length = sizeof(facs), .version = 2 };

    memcpy(facs.signature, "FACS", 4);
    return put(writer, &facs, sizeof(facs));
}

static uint64_t put_fadt(struct writer *writer, uint64_t facs, uint64_t dsdt)
{
    struct acpi_fadt fadt = {
        .facs = (uint32_t)facs,
        .dsdt = (uint32_t)dsdt,
        .sci = SCI_PIN,
        .pm1a_event = PM1_EVENT_PORT,
        .pm1a_control = PM1_CONTROL_PORT,
        .pm1_event_bytes = 4,
        .pm1_control_bytes = 2,
        .c2_latency = 0xffff, /* larger than allowed: no C2, no C3 */
        .c3_latency = 0xffff,
        .century = CMOS_CENTURY,
        .boot_architecture = BOOT_LEGACY_DEVICES | BOOT_NO_VGA | BOOT_NO_ASPM,
        .flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_POWER_BUTTON | FADT_NO_SLEEP_BUTTON |
                 FADT_NO_RTC_WAKE | FADT_RESET | FADT_HEADLESS,
        .reset = port(RESET_PORT, 1),
        .reset_value = RESET_VALUE,
        .minor = 4,
        .x_dsdt = dsdt,
        .x_pm1a_event = port(PM1_EVENT_PORT, 4),
        .x_pm1a_control = port(PM1_CONTROL_PORT, 2),
    };

    header_init(&fadt.header, "FACP", 6, sizeof(fadt));
    return put_table(writer, &fadt);
}

#define MADT_MAX_LAPICS 32u

static uint64_t put_madt(struct writer *writer, unsigned nr_vcpus, bool mailbox)
{
    struct {
        struct acpi_madt head;
        struct acpi_madt_ioapic ioapic;
        struct acpi_madt_override sci;
        struct acpi_madt_nmi nmi;
        struct acpi_madt_lapic lapics[MADT_MAX_LAPICS];
        struct acpi_madt_wakeup wakeup; /* moves up to the last of those */
    } PACKED madt = {
        .head = { .lapic_address = LAPIC_BASE, .flags = MADT_PCAT_COMPATIBLE },
        .ioapic = { .type = 1, .length = sizeof(madt.ioapic), .address = IOAPIC_BASE },
        /* Active high, level: nothing on a PC says so but this entry. */
        .sci = { .type = 2,
                 .length = sizeof(madt.sci),
                 .irq = SCI_PIN,
                 .gsi = SCI_PIN,
                 .flags = 13 },
        /* All processors: NMI on LINT1. */
        .nmi = { .type = 4, .length = sizeof(madt.nmi), .processor = 0xff, .lint = 1 },
    };
    const struct acpi_madt_wakeup wakeup = { .type = 0x10,
                                             .length = sizeof(wakeup),
                                             .mailbox = MAILBOX_BASE };
    size_t length = offsetof(typeof(madt), lapics) + nr_vcpus * sizeof(struct acpi_madt_lapic);

    if (nr_vcpus > MADT_MAX_LAPICS) {
        writer->failed = true;
        return 0;
    }
    for (unsigned i = 0; i < nr_vcpus; i++) {
        madt.lapics[i] = (struct acpi_madt_lapic){
            .length = sizeof(struct acpi_madt_lapic),
            .processor = (uint8_t)i,
            .apic_id = (uint8_t)i,
            .flags = MADT_LAPIC_ENABLED,
        };
    }
    if (mailbox) {
        memcpy((uint8_t *)&madt + length, &wakeup, sizeof(wakeup));
        length += sizeof(wakeup);
    }
    header_init(&madt.head.header, "APIC", 5, length);
    return put_table(writer, &madt);
}

static uint64_t put_mcfg(struct writer *writer)
{
    struct acpi_mcfg mcfg = { .base = ECAM_BASE };

    header_init(&mcfg.header, "MCFG", 1, sizeof(mcfg));
    return put_table(writer, &mcfg);
}

static void put_rsdp(struct writer *writer, uint64_t xsdt)
{
    struct acpi_rsdp rsdp = { .revision = 2, .length = sizeof(rsdp), .xsdt = xsdt };

    memcpy(rsdp.signature, "RSD PTR ", 8);
    memcpy(rsdp.oem, "BULKHD", 6);
    rsdp.checksum = (uint8_t)-sum(&rsdp, 20);
    rsdp.extended_checksum = (uint8_t)-sum(&rsdp, sizeof(rsdp));
    writer->at = ACPI_BASE;
    put(writer, &rsdp, sizeof(rsdp));
}

bool acpi_write_tables(const struct guest_ram *ram, const uint8_t *dsdt, uint32_t dsdt_bytes,
                       unsigned nr_vcpus, bool mailbox)
{
    struct writer writer = { .ram = ram, .at = ACPI_BASE + 0x40 };
    struct acpi_xsdt xsdt = { 0 };
    uint64_t facs = put_facs(&writer);

    xsdt.tables[0] = put_fadt(&writer, facs, put(&writer, dsdt, dsdt_bytes));
    xsdt.tables[1] = put_madt(&writer, nr_vcpus, mailbox);
    xsdt.tables[2] = put_mcfg(&writer);
    header_init(&xsdt.header, "XSDT", 1, sizeof(xsdt));
    put_rsdp(&writer, put_table(&writer, &xsdt));
    return !writer.failed;
}
