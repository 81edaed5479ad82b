/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/loader.h"

#include "kernel/core/memory.h"
#include "kernel/core/panic.h"
#include "kernel/core/print.h"
#include "kernel/core/regions.h"
#include "lib/bits.h"
#include "lib/string.h"

struct loader loader;

/* Loaders describe RAM with these types (ACPI 6.5, table 15.5). */
#define MEMORY_USABLE      1
#define MEMORY_ACPI_TABLES 3

/* All that a 32-bit loader's pointers can reach is mapped. */
#define MAPPED_END BIT(32)

static const void *mapped(u64 address, u64 bytes)
{
    return address && range_fits(address, bytes, MAPPED_END) ? hpa_to_ptr(hpa(address)) : NULL;
}

/* --- memory ---------------------------------------------------------------------------------- */

/* The kernel sees no more physical memory than its window has. */
#define WINDOW_BYTES (510ull << 30)

/* Of RAM, all whole pages; of anything else, all pages that it touches. */
static void add_memory(u64 start, u64 bytes, u32 type)
{
    u64 end;

    if (start >= WINDOW_BYTES)
        return;
    if (__builtin_add_overflow(start, bytes, &end) || end > WINDOW_BYTES)
        end = WINDOW_BYTES;

    u64 first = round_up_bits(start, PAGE_BITS), last = round_down_bits(end, PAGE_BITS);

    if (type == MEMORY_USABLE || type == MEMORY_ACPI_TABLES)
        regions_add(&loader.cached, first, last);
    if (type == MEMORY_USABLE)
        regions_add(&loader.usable, first, last);
    else
        regions_add(&loader.unusable, round_down_bits(start, PAGE_BITS),
                    round_up_bits(end, PAGE_BITS));
}

/* The first one counts. */
static void add_module(u64 start, u64 end)
{
    if (end <= start || !mapped(start, end - start))
        print("a boot module at 0x%lx..0x%lx is ignored\n", start, end);
    else if (loader.module.end == 0)
        loader.module = (struct boot_region){ start, end };
}

/* --- what is only passed on ------------------------------------------------------------------ */

static void copy_command_line(const void *text, u64 bytes)
{
    u64 room = sizeof(loader.command_line) - 1;

    if (text)
        memcpy(loader.command_line, text, bytes < room ? bytes : room);
}

static void copy_framebuffer(const void *framebuffer)
{
    memcpy(loader.framebuffer, framebuffer, sizeof(loader.framebuffer));
    loader.has_framebuffer = true;
}

/* words: mode, interface segment, offset, length, 16 bits each; the API wants 32. */
static void copy_vbe(const void *words, const void *control, const void *mode)
{
    u16 narrow[4];

    if (!control || !mode)
        return;
    memcpy(narrow, words, sizeof(narrow));
    memcpy(loader.vbe.control, control, sizeof(loader.vbe.control));
    memcpy(loader.vbe.mode, mode, sizeof(loader.vbe.mode));
    for (unsigned i = 0; i < ARRAY_LENGTH(narrow); i++)
        loader.vbe.words[i] = narrow[i];
    loader.has_vbe = true;
}

/* --- Multiboot 1 ----------------------------------------------------------------------------- */

struct multiboot1_info {
    u32 flags;
    u32 mem_lower, mem_upper; /* KiB */
    u32 boot_device;
    u32 cmdline;
    u32 mods_count, mods_addr;
    u32 syms[4];
    u32 mmap_length, mmap_addr;
    u32 drives_length, drives_addr;
    u32 config_table, boot_loader_name, apm_table;
    u32 vbe_control_info, vbe_mode_info;
    u8 vbe_mode[8]; /* and interface segment, offset, length */
    u8 framebuffer[22];
} __attribute__((packed));
_Static_assert(offsetof(struct multiboot1_info, framebuffer) == 88,
               "Multiboot 0.6.96, section 3.3");

#define MULTIBOOT1_HAS_MEMORY       BIT(0)
#define MULTIBOOT1_HAS_COMMAND_LINE BIT(2)
#define MULTIBOOT1_HAS_MODULES      BIT(3)
#define MULTIBOOT1_HAS_MEMORY_MAP   BIT(6)
#define MULTIBOOT1_HAS_VBE          BIT(11)
#define MULTIBOOT1_HAS_FRAMEBUFFER  BIT(12)

struct multiboot1_module {
    u32 start, end, string, reserved;
};

struct multiboot1_region {
    u32 size; /* of what follows */
    u64 base, length;
    u32 type;
} __attribute__((packed));

static void multiboot1_memory_map(const struct multiboot1_info *info)
{
    const u8 *map = mapped(info->mmap_addr, info->mmap_length);
    u32 offset = 0;

    if (!map)
        return;
    while (info->mmap_length - offset >= sizeof(struct multiboot1_region)) {
        struct multiboot1_region region;

        memcpy(&region, map + offset, sizeof(region));
        if (region.size < sizeof(region) - sizeof(region.size) ||
            region.size > info->mmap_length - offset - sizeof(region.size))
            break;
        add_memory(region.base, region.length, region.type);
        if (loader.memory_map.bytes + sizeof(region) <= LOADER_MEMORY_MAP_BYTES) {
            memcpy(loader.memory_map.entries + loader.memory_map.bytes, &region, sizeof(region));
            loader.memory_map.bytes += (u32)sizeof(region);
        }
        offset += region.size + (u32)sizeof(region.size);
    }
}

static void multiboot1_modules(const struct multiboot1_info *info)
{
    struct multiboot1_module module;
    const u8 *modules = mapped(info->mods_addr, (u64)info->mods_count * sizeof(module));

    for (u32 i = 0; modules && i < info->mods_count; i++) {
        memcpy(&module, modules + i * sizeof(module), sizeof(module));
        add_module(module.start, module.end);
    }
}

static void multiboot1_read(u32 address)
{
    const struct multiboot1_info *info = mapped(address, sizeof(*info));

    if (!info)
        panic("the boot loader's information is out of reach");
    if (!(info->flags & MULTIBOOT1_HAS_MEMORY))
        panic("the boot loader tells no memory sizes");
    if (info->flags & MULTIBOOT1_HAS_COMMAND_LINE)
        copy_command_line(mapped(info->cmdline, LOADER_COMMAND_LINE_BYTES),
                          LOADER_COMMAND_LINE_BYTES);
    if (info->flags & MULTIBOOT1_HAS_MEMORY_MAP)
        multiboot1_memory_map(info);
    if (loader.usable.count == 0)
        add_memory(BIT(20), (u64)info->mem_upper * 1024, MEMORY_USABLE);
    if (info->flags & MULTIBOOT1_HAS_MODULES)
        multiboot1_modules(info);
    if (info->flags & MULTIBOOT1_HAS_VBE)
        copy_vbe(info->vbe_mode, mapped(info->vbe_control_info, sizeof(loader.vbe.control)),
                 mapped(info->vbe_mode_info, sizeof(loader.vbe.mode)));
    if (info->flags & MULTIBOOT1_HAS_FRAMEBUFFER)
        copy_framebuffer(info->framebuffer);
}

/* --- Multiboot 2 ----------------------------------------------------------------------------- */

struct multiboot2_tag {
    u32 type;
    u32 size; /* with this header; the next tag is aligned to 8 */
};

enum multiboot2_type {
    MULTIBOOT2_END = 0,
    MULTIBOOT2_COMMAND_LINE = 1,
    MULTIBOOT2_MODULE = 3,
    MULTIBOOT2_MEMORY_MAP = 6,
    MULTIBOOT2_VBE = 7,
    MULTIBOOT2_FRAMEBUFFER = 8,
    MULTIBOOT2_RSDP_1 = 14,
    MULTIBOOT2_RSDP_2 = 15,
};

static void multiboot2_memory_map(const u8 *content, u32 bytes)
{
    struct {
        u32 entry_size, entry_version;
    } header;
    struct {
        u64 base, length;
        u32 type, reserved;
    } entry;

    if (bytes < sizeof(header))
        return;
    memcpy(&header, content, sizeof(header));
    if (header.entry_size < sizeof(entry))
        return;
    for (u32 at = sizeof(header); bytes - at >= header.entry_size; at += header.entry_size) {
        memcpy(&entry, content + at, sizeof(entry));
        add_memory(entry.base, entry.length, entry.type);
    }
}

static void multiboot2_rsdp(const u8 *content, u32 bytes)
{
    u32 room = bytes < sizeof(loader.rsdp) ? bytes : (u32)sizeof(loader.rsdp);

    if (room < loader.rsdp_bytes) /* the newer structure is the longer one */
        return;
    memcpy(loader.rsdp, content, room);
    loader.rsdp_bytes = room;
}

static void multiboot2_tag(u32 type, const u8 *content, u32 bytes)
{
    const u32 *words = (const void *)content;

    switch (type) {
    case MULTIBOOT2_COMMAND_LINE:
        copy_command_line(content, bytes);
        break;
    case MULTIBOOT2_MODULE:
        if (bytes >= 2 * sizeof(*words))
            add_module(words[0], words[1]);
        break;
    case MULTIBOOT2_MEMORY_MAP:
        multiboot2_memory_map(content, bytes);
        break;
    case MULTIBOOT2_VBE:
        if (bytes >= 8 + sizeof(loader.vbe.control) + sizeof(loader.vbe.mode))
            copy_vbe(content, content + 8, content + 8 + sizeof(loader.vbe.control));
        break;
    case MULTIBOOT2_FRAMEBUFFER:
        if (bytes >= sizeof(loader.framebuffer))
            copy_framebuffer(content);
        break;
    case MULTIBOOT2_RSDP_1:
    case MULTIBOOT2_RSDP_2:
        multiboot2_rsdp(content, bytes);
        break;
    default:
        break;
    }
}

static void multiboot2_read(u32 info)
{
    const u32 *header = info % 8 ? NULL : mapped(info, 8);
    u64 total = header ? header[0] : 0;
    u64 offset = 8;

    if (total < 8 || !mapped(info, total))
        panic("the boot loader's information is out of reach");
    while (offset + sizeof(struct multiboot2_tag) <= total) {
        const struct multiboot2_tag *tag = (const void *)((const u8 *)header + offset);

        if (tag->type == MULTIBOOT2_END || tag->size < sizeof(*tag) || tag->size > total - offset)
            return;
        multiboot2_tag(tag->type, (const u8 *)(tag + 1), tag->size - (u32)sizeof(*tag));
        offset = round_up_bits(offset + tag->size, 3);
    }
}

/* --- either ---------------------------------------------------------------------------------- */

void loader_read(u32 magic, u32 info)
{
    loader.is_multiboot2 = magic == LOADER_MULTIBOOT2;
    if (magic == LOADER_MULTIBOOT1)
        multiboot1_read(info);
    else if (magic == LOADER_MULTIBOOT2)
        multiboot2_read(info);
    else
        panic("started by no Multiboot loader (magic number 0x%x)", magic);
    /* Where descriptions overlap, the careful one counts. */
    regions_remove_all(&loader.usable, &loader.unusable);
    if (loader.usable.count == 0)
        panic("the boot loader tells of no memory");
}

static u64 parse_number(const char *text, u64 otherwise)
{
    static const char digits[] = "0123456789abcdef";
    bool is_hex = text[0] == '0' && (text[1] | 0x20) == 'x';
    const char *at = is_hex ? text + 2 : text;
    u64 base = is_hex ? 16 : 10, value = 0;

    if (*at == '\0' || *at == ' ')
        return otherwise;
    for (; *at && *at != ' '; at++) {
        const char *digit = memchr(digits, *at >= 'A' ? *at | 0x20 : *at, base);

        if (!digit || __builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, (u64)(digit - digits), &value))
            return otherwise;
    }
    return value;
}

u64 loader_option(const char *name, u64 otherwise)
{
    size_t length = strlen(name);

    for (const char *at = loader.command_line; (at = strstr(at, name)); at += length)
        if ((at == loader.command_line || at[-1] == ' ') && at[length] == '=')
            return parse_number(at + length + 1, otherwise);
    return otherwise;
}
