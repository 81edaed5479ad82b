/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/acpi.h"

#include "kernel/core/memory.h"
#include "kernel/core/panic.h"
#include "kernel/core/print.h"
#include "kernel/x86/kernel_tables.h"
#include "lib/string.h"

struct acpi acpi;

#define RSDP_BYTES    20
#define RSDP2_BYTES   36
#define RSDP_REVISION 15
#define RSDP_RSDT     16
#define RSDP_LENGTH   20
#define RSDP_XSDT     24

#define TABLE_HEADER_BYTES 36
#define TABLE_MAX_BYTES    BIT(20)

static u32 get32(const u8 *at)
{
    u32 value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static u64 get64(const u8 *at)
{
    u64 value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static bool sums_to_zero(const u8 *bytes, u64 count)
{
    u8 sum = 0;

    for (u64 i = 0; i < count; i++)
        sum = (u8)(sum + bytes[i]);
    return sum == 0;
}

/* --- the root pointer ------------------------------------------------------------------------ */

static bool rsdp_is_good(const u8 *rsdp)
{
    return memcmp(rsdp, "RSD PTR ", 8) == 0 && sums_to_zero(rsdp, RSDP_BYTES);
}

static bool take_rsdp(const u8 *rsdp, u64 bytes)
{
    if (bytes < RSDP_BYTES || !rsdp_is_good(rsdp))
        return false;
    memset(acpi.rsdp, 0, sizeof(acpi.rsdp));
    memcpy(acpi.rsdp, rsdp, RSDP_BYTES);
    if (rsdp[RSDP_REVISION] >= 2 && bytes >= RSDP2_BYTES &&
        get32(rsdp + RSDP_LENGTH) >= RSDP2_BYTES && sums_to_zero(rsdp, RSDP2_BYTES))
        memcpy(acpi.rsdp, rsdp, RSDP2_BYTES);
    else
        acpi.rsdp[RSDP_REVISION] = 0;
    acpi.has_rsdp = true;
    return true;
}

static bool search_rsdp(u64 start, u64 end)
{
    for (u64 at = start; at + RSDP2_BYTES <= end; at += 16)
        if (take_rsdp(hpa_to_ptr(hpa(at)), end - at))
            return true;
    return false;
}

/* The first KiB of the extended BIOS data area, whose segment is at 40eh, then the BIOS's ROM. */
static bool search_bios(void)
{
    u16 segment;

    memcpy(&segment, hpa_to_ptr(hpa(0x40e)), sizeof(segment));

    u64 ebda = (u64)segment << 4;

    return (ebda >= 0x80000 && ebda <= 0x9fc00 && search_rsdp(ebda, ebda + 1024)) ||
           search_rsdp(0xe0000, 0x100000);
}

/* --- tables ---------------------------------------------------------------------------------- */

struct table {
    const u8 *bytes; /* NULL: absent */
    u32 length;
};

static struct table table_at(u64 address)
{
    const u8 *bytes = kernel_window(address, TABLE_HEADER_BYTES);

    if (!address || !bytes)
        return (struct table){ 0 };

    u32 length = get32(bytes + 4);

    if (length < TABLE_HEADER_BYTES || length > TABLE_MAX_BYTES ||
        !kernel_window(address, length) || !sums_to_zero(bytes, length))
        return (struct table){ 0 };
    return (struct table){ bytes, length };
}

static bool has_signature(struct table table, const char *signature)
{
    return table.bytes && memcmp(table.bytes, signature, 4) == 0;
}

/* The tables listed in the root table, by number; its entries have 4 bytes (RSDT) or 8 (XSDT). */
static struct table find_table(const char *signature)
{
    bool extended = acpi.rsdp[RSDP_REVISION] >= 2 && get64(acpi.rsdp + RSDP_XSDT);
    struct table root =
        table_at(extended ? get64(acpi.rsdp + RSDP_XSDT) : get32(acpi.rsdp + RSDP_RSDT));

    if (!has_signature(root, extended ? "XSDT" : "RSDT")) {
        extended = false;
        root = table_at(get32(acpi.rsdp + RSDP_RSDT));
        if (!has_signature(root, "RSDT"))
            return (struct table){ 0 };
    }

    u32 width = extended ? 8 : 4;

    for (u32 at = TABLE_HEADER_BYTES; at + width <= root.length; at += width) {
        struct table table = table_at(extended ? get64(root.bytes + at) : get32(root.bytes + at));

        if (has_signature(table, signature))
            return table;
    }
    return (struct table){ 0 };
}

/* --- processors and interrupt controllers ---------------------------------------------------- */

enum madt_type {
    MADT_LOCAL_APIC = 0,
    MADT_IO_APIC = 1,
    MADT_LOCAL_APIC_ADDRESS = 5,
    MADT_LOCAL_X2APIC = 9,
};

#define MADT_LOCAL_APIC_AT 36
#define MADT_ENTRIES       44
#define MADT_ENABLED       BIT(0)

static void add_processor(u32 apic_id, u32 flags)
{
    if (!(flags & MADT_ENABLED))
        return;
    if (acpi.nr_processors < CONFIG_MAX_CORES)
        acpi.apic_ids[acpi.nr_processors++] = apic_id;
}

static void add_io_apic(const u8 *entry)
{
    if (acpi.nr_io_apics++ > 0)
        return;
    acpi.io_apic = get32(entry + 4);
    acpi.io_apic_first_interrupt = get32(entry + 8);
}

static void read_madt_entry(const u8 *entry, u8 length)
{
    switch (entry[0]) {
    case MADT_LOCAL_APIC:
        if (length >= 8 && entry[3] != 0xff)
            add_processor(entry[3], get32(entry + 4));
        break;
    case MADT_IO_APIC:
        if (length >= 12)
            add_io_apic(entry);
        break;
    case MADT_LOCAL_APIC_ADDRESS:
        if (length >= 12)
            acpi.local_apic = get64(entry + 4);
        break;
    case MADT_LOCAL_X2APIC:
        if (length >= 16)
            add_processor(get32(entry + 4), get32(entry + 8));
        break;
    default: /* interrupt source overrides: whoever drives a legacy device reads them itself */
        break;
    }
}

static void read_madt(struct table madt)
{
    if (madt.length < MADT_ENTRIES)
        panic("ACPI: the table of processors (MADT) is too short");
    acpi.local_apic = get32(madt.bytes + MADT_LOCAL_APIC_AT);
    for (u32 at = MADT_ENTRIES; at + 2 <= madt.length;) {
        u8 length = madt.bytes[at + 1];

        if (length < 2 || length > madt.length - at)
            break;
        read_madt_entry(madt.bytes + at, length);
        at += length;
    }
}

/* --- timers ---------------------------------------------------------------------------------- */

#define FADT_PM_TIMER_BLOCK  76
#define FADT_PM_TIMER_LENGTH 91
#define HPET_ADDRESS_SPACE   40
#define HPET_ADDRESS         44
#define ADDRESS_SPACE_MEMORY 0

static void read_fadt(struct table fadt)
{
    if (fadt.length <= FADT_PM_TIMER_LENGTH || fadt.bytes[FADT_PM_TIMER_LENGTH] != 4)
        return;

    u32 port = get32(fadt.bytes + FADT_PM_TIMER_BLOCK);

    if (port <= 0xfffc)
        acpi.pm_timer_port = (u16)port;
}

static void read_hpet(struct table hpet)
{
    if (hpet.length >= HPET_ADDRESS + 8 && hpet.bytes[HPET_ADDRESS_SPACE] == ADDRESS_SPACE_MEMORY)
        acpi.hpet = get64(hpet.bytes + HPET_ADDRESS);
}

void acpi_init(const u8 *rsdp, u32 bytes, bool search)
{
    if (!take_rsdp(rsdp, bytes) && !(search && search_bios()))
        panic("no ACPI: neither the boot loader nor the firmware names its tables");

    struct table madt = find_table("APIC");
    struct table fadt = find_table("FACP");
    struct table hpet = find_table("HPET");

    if (!madt.bytes)
        panic("ACPI: no usable table of processors (MADT)");
    read_madt(madt);
    if (fadt.bytes)
        read_fadt(fadt);
    if (hpet.bytes)
        read_hpet(hpet);
    if (acpi.nr_io_apics == 0)
        panic("ACPI: no I/O APIC");
}
