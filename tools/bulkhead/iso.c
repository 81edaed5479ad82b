/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/iso.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bulkhead/console.h"
#include "tools/bulkhead/process.h"

/* One moment for everything that wants one: the beginning of 2000, as Unix and ISO 9660 have it. */
#define UNIX_DATE "946684800"
#define ISO_DATE  "2000010100000000"
/* "BULKHEAD" and "BULK" */
#define GPT_GUID   "42554c4b484541440000000000000001"
#define FAT_SERIAL "42554c4b"

#define BOOT_HYBRID "/usr/lib/grub/i386-pc/boot_hybrid.img"

/* Runs in the core image, from wherever that was loaded. */
static const char early_configuration[] = "search --no-floppy --file --set=root /boot/kernel.elf\n"
                                          "set prefix=($root)/boot/grub\n";

/* GRUB counts the serial ports. */
static const char grub_configuration[] = "serial --unit=%u --speed=115200\n"
                                         "terminal_output console serial\n"
                                         "set timeout=0\n"
                                         "menuentry \"Bulkhead\" {\n"
                                         "    multiboot2 /boot/kernel.elf console_port=0x%llx\n"
                                         "    module2 /boot/image.elf\n"
                                         "}\n";

#define GRUB_MODULES                                                                               \
    "normal", "iso9660", "part_gpt", "part_msdos", "fat", "search", "search_fs_file",              \
        "multiboot2", "serial", "terminal", "echo", "configfile"

/* Files that are made on the way. */
enum part {
    PART_LOG,
    PART_EARLY,
    PART_CONFIGURATION,
    PART_BIOS,
    PART_EFI,
    PART_EFI_DISK,
    NR_PARTS
};

static const char *const part_names[NR_PARTS] = { "iso.log",  "early.cfg",   "grub.cfg",
                                                  "bios.img", "bootx64.efi", "efi.img" };

static char *part(const struct iso *iso, enum part part)
{
    return arena_format(iso->arena, "%s/%s", iso->folder, part_names[part]);
}

static void remove_parts(const struct iso *iso, enum part first)
{
    for (enum part i = first; i < NR_PARTS; i++) {
        remove(part(iso, i));
    }
}

static bool fail(struct iso *iso, const char *where, const char *why)
{
    iso->where = where;
    iso->why = why;
    return false;
}

static bool run(struct iso *iso, char *const *arguments)
{
    const char *log = part(iso, PART_LOG), *wrong = process_run(arguments, log);

    return wrong == NULL ||
           fail(iso, arguments[0], arena_format(iso->arena, "%s (its words: %s)", wrong, log));
}

static bool write_text(struct iso *iso, enum part which, const char *text)
{
    const char *path = part(iso, which);
    FILE *file = fopen(path, "w");
    bool good = file != NULL && fputs(text, file) >= 0;

    good = file != NULL && fclose(file) == 0 && good;
    return good || fail(iso, path, strerror(errno));
}

static bool make_bios(struct iso *iso)
{
    char *arguments[] = { "grub-mkimage",       "-O",       "i386-pc-eltorito",    "-p",
                          "/boot/grub",         "-c",       part(iso, PART_EARLY), "-o",
                          part(iso, PART_BIOS), "biosdisk", GRUB_MODULES,          NULL };

    return run(iso, arguments);
}

static bool make_efi(struct iso *iso)
{
    char *arguments[] = { "grub-mkimage",
                          "-O",
                          "x86_64-efi",
                          "-p",
                          "/boot/grub",
                          "-c",
                          part(iso, PART_EARLY),
                          "-o",
                          part(iso, PART_EFI),
                          "efi_gop",
                          "efi_uga",
                          GRUB_MODULES,
                          NULL };

    return run(iso, arguments);
}

/* UEFI firmware boots from a FAT file system. */
static bool make_efi_disk(struct iso *iso)
{
    char *disk = part(iso, PART_EFI_DISK);
    char *format[] = { "mformat", "-C", "-i", disk, "-N", FAT_SERIAL, "-f", "2880", "::", NULL };
    char *folders[] = { "mmd", "-i", disk, "::/efi", "::/efi/boot", NULL };
    char *copy[] = { "mcopy", "-i", disk, part(iso, PART_EFI), "::/efi/boot/bootx64.efi", NULL };

    remove(disk);
    return run(iso, format) && run(iso, folders) && run(iso, copy);
}

static char *at(const struct iso *iso, const char *place, const char *file)
{
    return arena_format(iso->arena, "%s=%s", place, file);
}

/* Single files, by "place on the medium=file". */
static bool make_iso(struct iso *iso)
{
    static char modification_date[] = "--modification-date=" ISO_DATE;
    char *image = arena_format(iso->arena, "%s/image.iso", iso->folder);
    char *arguments[] = {
        "xorriso", "-as", "mkisofs", "-quiet", "-r", "-V", "BULKHEAD", "-o", image, "-graft-points",
        /* dates and identifiers */
        modification_date, "--set_all_file_dates", ISO_DATE, "--gpt_disk_guid", GPT_GUID,
        /* BIOS: from a CD, and from a disk by its first sector */
        "--grub2-mbr", BOOT_HYBRID, "-b", "boot/grub/bios.img", "-no-emul-boot", "-boot-load-size",
        "4", "-boot-info-table", "--grub2-boot-info",
        /* UEFI: the same file system for both */
        "--efi-boot", "boot/grub/efi.img", "-efi-boot-part", "--efi-boot-image",
        at(iso, "boot/grub/grub.cfg", part(iso, PART_CONFIGURATION)),
        at(iso, "boot/grub/bios.img", part(iso, PART_BIOS)),
        at(iso, "boot/grub/efi.img", part(iso, PART_EFI_DISK)),
        at(iso, "boot/kernel.elf", iso->kernel), at(iso, "boot/image.elf", iso->image), NULL
    };

    return run(iso, arguments);
}

bool iso_write(struct iso *iso)
{
    const char *configuration =
        arena_format(iso->arena, grub_configuration, console_port_number(iso->console_port),
                     (unsigned long long)iso->console_port);
    bool good;

    remove_parts(iso, 0);
    /* mtools ask these two for the dates of files. */
    setenv("SOURCE_DATE_EPOCH", UNIX_DATE, 1);
    setenv("TZ", "UTC", 1);
    good = write_text(iso, PART_EARLY, early_configuration) &&
           write_text(iso, PART_CONFIGURATION, configuration) && make_bios(iso) && make_efi(iso) &&
           make_efi_disk(iso);
    /* xorriso is told them; it would be talkative about the environment. */
    unsetenv("SOURCE_DATE_EPOCH");
    good = good && make_iso(iso);
    remove_parts(iso, good ? PART_LOG : PART_LOG + 1);
    return good;
}
