/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/loader.h"

#include "kernel/core/memory.h"
#include "kernel/core/panic.h"
#include "kernel/core/print.h"
#include "kernel/core/regions.h"
#include "lib/string.h"

struct loader loader;

/* Loaders describe RAM with these types (ACPI 6.5, table 15.5). */
#define MEMORY_USABLE      1
#define MEMORY_ACPI_TABLES 3

/* All that a 32-bit loader's pointers can reach is mapped. */
#define MAPPED_END BIT(32)

static const void *mapped(u64 address, u64 bytes)
{
    if (address == 0 || address >= MAPPED_END || bytes > MAPPED_END - address)
        return NULL;
    return hpa_to_ptr(hpa(address));
}

static void copy_command_line(u64 address, u64 max_bytes)
{
    u64 room = max_bytes < LOADER_COMMAND_LINE_BYTES ? max_bytes : LOADER_COMMAND_LINE_BYTES;
    const char *text = mapped(address, room);

    if (!text || room == 0)
        return;
    memcpy(loader.command_line, text, room);
    loader.command_line[room - 1] = '\0';
}

/* --- memory ---------------------------------------------------------------------------------- */

static u64 round_up_to_page(u64 address)
{
    return (address + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

static u64 round_down_to_page(u64 address)
{
    return address & ~(PAGE_SIZE - 1);
}

/* The kernel sees no more physical memory than its window has. */
#define WINDOW_BYTES (510ull << 30)

static void add_memory(u64 start, u64 bytes, u32 type)
{
    u64 end;

    if (start >= WINDOW_BYTES)
        return;
    if (__builtin_add_overflow(start, bytes, &end) || end > WINDOW_BYTES)
        end = WINDOW_BYTES;

    bool complete = true;

    if (type == MEMORY_USABLE) {
        complete = regions_add(&loader.usable, round_up_to_page(start), round_down_to_page(end)) &&
                   regions_add(&loader.cached, round_up_to_page(start), round_down_to_page(end));
    } else {
        complete = regions_add(&loader.unusable, round_down_to_page(start), round_up_to_page(end));
        if (type == MEMORY_ACPI_TABLES)
            complete &=
                regions_add(&loader.cached, round_up_to_page(start), round_down_to_page(end));
    }
    if (!complete)
        print("memory map: too many regions, 0x%lx..0x%lx ignored\n", start, end);
}

/* Where descriptions overlap, the careful one counts. */
static void finish_memory(void)
{
    for (unsigned i = 0; i < loader.unusable.count; i++)
        if (!regions_remove(&loader.usable, loader.unusable.at[i].start, loader.unusable.at[i].end))
            panic("memory map: too many regions");
    if (loader.usable.count == 0)
        panic("the boot loader tells of no memory");
}

static void add_module(u64 start, u64 end)
{
    if (end <= start || !mapped(start, end - start)) {
        print("a boot module at 0x%lx..0x%lx is ignored\n", start, end);
        return;
    }
    if (!regions_add(&loader.in_use, round_down_to_page(start), round_up_to_page(end)))
        panic("too many boot modules");
    if (loader.module.end == 0)
        loader.module = (struct boot_region){ start, end };
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
    u16 vbe_mode, vbe_interface_seg, vbe_interface_off, vbe_interface_len;
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

#define VBE_CONTROL_BYTES 512
#define VBE_MODE_BYTES    256

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
        if (loader.memory_map_bytes + sizeof(region) <= LOADER_MEMORY_MAP_BYTES) {
            memcpy(loader.memory_map + loader.memory_map_bytes, &region, sizeof(region));
            loader.memory_map_bytes += (u32)sizeof(region);
        }
        offset += region.size + (u32)sizeof(region.size);
    }
}

static void multiboot1_vbe(const struct multiboot1_info *info)
{
    const void *control = mapped(info->vbe_control_info, VBE_CONTROL_BYTES);
    const void *mode = mapped(info->vbe_mode_info, VBE_MODE_BYTES);
    u8 *vbe = loader.vbe;
    u32 mode_number = info->vbe_mode;

    if (!control || !mode)
        return;
    memcpy(vbe, control, VBE_CONTROL_BYTES);
    memcpy(vbe + 512, mode, VBE_MODE_BYTES);
    memcpy(vbe + 768, &mode_number, 4);
    memcpy(vbe + 772, &info->vbe_interface_seg, 6);
    loader.has_vbe = true;
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

static const struct multiboot1_info *multiboot1_info(u32 info)
{
    const struct multiboot1_info *i = mapped(info, sizeof(*i));

    if (!i)
        panic("the boot loader's information is out of reach");
    return i;
}

static void multiboot1_read(const struct multiboot1_info *info)
{
    if (!(info->flags & MULTIBOOT1_HAS_MEMORY))
        panic("the boot loader tells no memory sizes");
    if (info->flags & MULTIBOOT1_HAS_MEMORY_MAP)
        multiboot1_memory_map(info);
    if (loader.usable.count == 0)
        add_memory(BIT(20), (u64)info->mem_upper * 1024, MEMORY_USABLE);

    if (info->flags & MULTIBOOT1_HAS_MODULES)
        multiboot1_modules(info);
    if (info->flags & MULTIBOOT1_HAS_VBE)
        multiboot1_vbe(info);
    if (info->flags & MULTIBOOT1_HAS_FRAMEBUFFER) {
        memcpy(loader.framebuffer, info->framebuffer, sizeof(loader.framebuffer));
        loader.has_framebuffer = true;
    }
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

typedef void (*multiboot2_handler)(const struct multiboot2_tag *tag, const u8 *content, u32 bytes);

static void multiboot2_for_each_tag(u32 info, multiboot2_handler handler)
{
    const u32 *header = info % 8 ? NULL : mapped(info, 8);
    u32 total = header ? header[0] : 0;
    u32 offset = 8;

    if (total < 8 || !mapped(info, total))
        panic("the boot loader's information is out of reach");
    while (total - offset >= sizeof(struct multiboot2_tag)) {
        const struct multiboot2_tag *tag = (const void *)((const u8 *)header + offset);

        if (tag->type == MULTIBOOT2_END || tag->size < sizeof(*tag) || tag->size > total - offset)
            return;
        handler(tag, (const u8 *)(tag + 1), tag->size - (u32)sizeof(*tag));

        u64 next = (offset + (u64)tag->size + 7) & ~7ull;

        if (next > total)
            return;
        offset = (u32)next;
    }
}

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

/*
 * u16 mode, interface segment, offset, length; then the two blocks. The API wants the blocks first.
 */
static void multiboot2_vbe(const u8 *content, u32 bytes)
{
    if (bytes < 8 + VBE_CONTROL_BYTES + VBE_MODE_BYTES)
        return;
    memcpy(loader.vbe, content + 8, VBE_CONTROL_BYTES + VBE_MODE_BYTES);
    memcpy(loader.vbe + 768, content, 2);
    memcpy(loader.vbe + 772, content + 2, 6);
    loader.has_vbe = true;
}

static void multiboot2_rsdp(const u8 *content, u32 bytes)
{
    u32 room = bytes < sizeof(loader.rsdp) ? bytes : (u32)sizeof(loader.rsdp);

    if (room < loader.rsdp_bytes) /* the newer structure is the longer one */
        return;
    memcpy(loader.rsdp, content, room);
    loader.rsdp_bytes = room;
}

static void multiboot2_tag(const struct multiboot2_tag *tag, const u8 *content, u32 bytes)
{
    u32 module[2];

    switch (tag->type) {
    case MULTIBOOT2_MODULE:
        if (bytes < sizeof(module))
            break;
        memcpy(module, content, sizeof(module));
        add_module(module[0], module[1]);
        break;
    case MULTIBOOT2_MEMORY_MAP:
        multiboot2_memory_map(content, bytes);
        break;
    case MULTIBOOT2_VBE:
        multiboot2_vbe(content, bytes);
        break;
    case MULTIBOOT2_FRAMEBUFFER:
        if (bytes >= sizeof(loader.framebuffer)) {
            memcpy(loader.framebuffer, content, sizeof(loader.framebuffer));
            loader.has_framebuffer = true;
        }
        break;
    case MULTIBOOT2_RSDP_1:
    case MULTIBOOT2_RSDP_2:
        multiboot2_rsdp(content, bytes);
        break;
    default:
        break;
    }
}

static void multiboot2_command_line(const struct multiboot2_tag *tag, const u8 *content, u32 bytes)
{
    if (tag->type == MULTIBOOT2_COMMAND_LINE)
        copy_command_line(ptr_to_hpa(content).raw, bytes);
}

/* --- either ---------------------------------------------------------------------------------- */

void loader_read_command_line(u32 magic, u32 info)
{
    if (magic == LOADER_MULTIBOOT2) {
        multiboot2_for_each_tag(info, multiboot2_command_line);
    } else if (magic == LOADER_MULTIBOOT1) {
        const struct multiboot1_info *i = multiboot1_info(info);

        if (i->flags & MULTIBOOT1_HAS_COMMAND_LINE)
            copy_command_line(i->cmdline, LOADER_COMMAND_LINE_BYTES);
    }
}

void loader_read(u32 magic, u32 info)
{
    loader.is_multiboot2 = magic == LOADER_MULTIBOOT2;
    if (magic == LOADER_MULTIBOOT1)
        multiboot1_read(multiboot1_info(info));
    else if (magic == LOADER_MULTIBOOT2)
        multiboot2_for_each_tag(info, multiboot2_tag);
    else
        panic("started by no Multiboot loader (magic number 0x%x)", magic);
    finish_memory();
}

static u64 parse_number(const char *text, u64 otherwise)
{
    unsigned base = 10;
    u64 value = 0;
    bool any = false;

    if (text[0] == '0' && (text[1] | 0x20) == 'x') {
        base = 16;
        text += 2;
    }
    for (; *text && *text != ' '; text++) {
        char c = *text >= 'A' && *text <= 'F' ? (char)(*text | 0x20) : *text;
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 99;

        if (digit >= base || value > (~0ull - digit) / base)
            return otherwise;
        value = value * base + digit;
        any = true;
    }
    return any ? value : otherwise;
}

u64 loader_option(const char *name, u64 otherwise)
{
    size_t length = strlen(name);

    for (const char *at = loader.command_line; (at = strstr(at, name)); at += length)
        if ((at == loader.command_line || at[-1] == ' ') && at[length] == '=')
            return parse_number(at + length + 1, otherwise);
    return otherwise;
}
