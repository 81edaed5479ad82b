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

static bool take_rsdp(const u8 *rsdp, u64 bytes)
{
    if (bytes < RSDP_BYTES || memcmp(rsdp, "RSD PTR ", 8) != 0 || !sums_to_zero(rsdp, RSDP_BYTES))
        return false;
    memset(acpi.rsdp, 0, sizeof(acpi.rsdp));
    memcpy(acpi.rsdp, rsdp, RSDP_BYTES);
    if (rsdp[RSDP_REVISION] >= 2 && bytes >= RSDP2_BYTES &&
        get32(rsdp + RSDP_LENGTH) >= RSDP2_BYTES && sums_to_zero(rsdp, RSDP2_BYTES))
        memcpy(acpi.rsdp, rsdp, RSDP2_BYTES);
    else
        acpi.rsdp[RSDP_REVISION] = 0;
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

static u32 table_length(const u8 *table)
{
    return get32(table + 4);
}

/* The table that is said to be at the address, or NULL. */
static const u8 *table_at(u64 address, const char *signature)
{
    const u8 *table = address ? kernel_window(address, TABLE_HEADER_BYTES) : NULL;
    u32 length = table ? table_length(table) : 0;

    return length >= TABLE_HEADER_BYTES && length <= TABLE_MAX_BYTES &&
                   memcmp(table, signature, 4) == 0 && kernel_window(address, length) &&
                   sums_to_zero(table, length)
               ? table
               : NULL;
}

/* From the root table, whose entries have 8 bytes (XSDT) or 4 (RSDT). */
static const u8 *find_table(const char *signature)
{
    const u8 *xsdt = table_at(get64(acpi.rsdp + RSDP_XSDT), "XSDT");
    const u8 *root = xsdt ? xsdt : table_at(get32(acpi.rsdp + RSDP_RSDT), "RSDT");
    u32 width = xsdt ? 8 : 4;
    const u8 *table = NULL;

    for (u32 at = TABLE_HEADER_BYTES; root && !table && at + width <= table_length(root);
         at += width)
        table = table_at(xsdt ? get64(root + at) : get32(root + at), signature);
    return table;
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
    if ((flags & MADT_ENABLED) && acpi.nr_processors < CONFIG_MAX_CORES)
        acpi.apic_ids[acpi.nr_processors++] = apic_id;
}

static void read_madt_entry(const u8 *entry, u8 length)
{
    switch (entry[0]) {
    case MADT_LOCAL_APIC:
        if (length >= 8 && entry[3] != 0xff)
            add_processor(entry[3], get32(entry + 4));
        break;
    case MADT_IO_APIC:
        if (length >= 12 && !acpi.io_apic)
            acpi.io_apic = get32(entry + 4);
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

static void read_madt(const u8 *madt)
{
    u32 end = madt ? table_length(madt) : 0;

    if (end < MADT_ENTRIES)
        panic("ACPI: no usable table of processors (MADT)");
    acpi.local_apic = get32(madt + MADT_LOCAL_APIC_AT);
    for (u32 at = MADT_ENTRIES; at + 2 <= end;) {
        u8 length = madt[at + 1];

        if (length < 2 || length > end - at)
            break;
        read_madt_entry(madt + at, length);
        at += length;
    }
    if (!acpi.io_apic)
        panic("ACPI: no I/O APIC");
}

/* --- timers ---------------------------------------------------------------------------------- */

#define FADT_PM_TIMER_BLOCK  76
#define FADT_PM_TIMER_LENGTH 91
#define HPET_ADDRESS_SPACE   40
#define HPET_ADDRESS         44
#define ADDRESS_SPACE_MEMORY 0

static void read_fadt(const u8 *fadt)
{
    if (!fadt || table_length(fadt) <= FADT_PM_TIMER_LENGTH || fadt[FADT_PM_TIMER_LENGTH] != 4)
        return;

    u32 port = get32(fadt + FADT_PM_TIMER_BLOCK);

    if (port <= 0xfffc)
        acpi.pm_timer_port = (u16)port;
}

static void read_hpet(const u8 *hpet)
{
    if (hpet && table_length(hpet) >= HPET_ADDRESS + 8 &&
        hpet[HPET_ADDRESS_SPACE] == ADDRESS_SPACE_MEMORY)
        acpi.hpet = get64(hpet + HPET_ADDRESS);
}

void acpi_init(const u8 *rsdp, u32 bytes, bool search)
{
    if (!take_rsdp(rsdp, bytes) && !(search && search_bios()))
        panic("no ACPI: neither the boot loader nor the firmware names its tables");
    read_madt(find_table("APIC"));
    read_fadt(find_table("FACP"));
    read_hpet(find_table("HPET"));
}
