/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/language.h"

#include <string.h>

#include "tools/bulkhead/machine.h"
#include "tools/bulkhead/model.h"
#include "tools/bulkhead/value.h"
#include "user/libserver/disk.h"
#include "user/libserver/sata.h"
#include "user/libserver/server.h"
#include "user/libserver/supervisor.h"
#include "user/vmm/config.h"

#define TEBIBYTE (1ull << 40)
#define HOUR_US  (3600ull * 1000000)

#define AT(structure, member) .offset = offsetof(struct structure, member)
#define LANGUAGE(what, some, structure, keys)                                                      \
    {                                                                                              \
        what, some, sizeof(struct structure), keys, sizeof(keys) / sizeof((keys)[0])               \
    }

/* clang-format off */

static const struct key machine_keys[] = {
    { "cores", "How many cores the system may assume", KEY_NUMBER, AT(model_machine, cores),
      .otherwise = "all that VMs are put on", .least = 1, .most = MACHINE_MAX_CORES },
    { "memory", "How much memory the system may assume", KEY_SIZE, AT(model_machine, memory),
      .otherwise = "what is needed, in steps of 512M, 2G at least",
      .least = 128 * MEBIBYTE, .most = 16 * TEBIBYTE },
};
static const struct language machine_language =
    LANGUAGE("a machine", "machines", model_machine, machine_keys);

static const struct key_choice accesses[] = {
    { "read-write", MODEL_READ_WRITE }, { "read-only", MODEL_READ_ONLY }, { 0 },
};

static const struct key disk_keys[] = {
    { "partuuid", "UUID of a GPT partition, or signature and number of an MBR's", KEY_UUID,
      AT(model_disk, partuuid), .alternative = true },
    { "partlabel", "Label of a GPT partition", KEY_TEXT, AT(model_disk, partlabel),
      .alternative = true, .least = 1, .most = SATA_TEXT_BYTES - 1 },
    { "serial", "Serial number of a disk", KEY_TEXT, AT(model_disk, serial),
      .alternative = true, .least = 1, .most = DISK_SERIAL_BYTES },
    { "number", "Number of the partition on the disk with that serial number", KEY_NUMBER,
      AT(model_disk, number), .otherwise = "the whole disk", .least = 1, .most = 1000,
      .needs = "serial" },
    { "access", "What the VM may do with it", KEY_CHOICE, AT(model_disk, access),
      .value = "read-write", .choices = accesses },
    { "bandwidth", "Bytes that are read and written in a second at most", KEY_SIZE,
      AT(model_disk, bandwidth), .otherwise = "no limit", .least = MEBIBYTE, .most = TEBIBYTE,
      .unit = " a second" },
    /* A guest that waits for minutes thinks that its disk has died. */
    { "iops", "Requests in a second at most", KEY_NUMBER, AT(model_disk, iops),
      .otherwise = "no limit", .least = 10, .most = 1000000, .unit = " a second" },
};
static const struct language disk_language = LANGUAGE("a disk", "disks", model_disk, disk_keys);

static const struct key_choice processors[] = {
    { "host", VMM_BASELINE_HOST }, { "x86-64-v1", 1 }, { "x86-64-v2", 2 },
    { "x86-64-v3", VMM_BASELINE_MOST }, { 0 },
};

static const struct key_choice restarts[] = {
    { "never", SUPERVISOR_NEVER }, { "on-failure", SUPERVISOR_ON_FAILURE },
    { "always", SUPERVISOR_ALWAYS }, { 0 },
};

static const struct key vm_keys[] = {
    { "name", "What the VM is called, in messages and on the console", KEY_NAME,
      AT(model_vm, name), .required = true, .least = 1, .most = VMM_NAME_BYTES - 1 },
    { "memory", "The guest's memory, a multiple of 2M", KEY_SIZE, AT(model_vm, memory),
      .required = true, .least = VMM_RAM_MIN, .most = VMM_RAM_MAX },
    { "kernel", "A Linux bzImage of at most 512M", KEY_FILE, AT(model_vm, kernel),
      .required = true },
    { "initrd", "The RAM disk, of at most 3G", KEY_FILE, AT(model_vm, initrd),
      .otherwise = "none" },
    { "cmdline", "The kernel's command line", KEY_TEXT, AT(model_vm, command_line), .value = "",
      .least = 0, .most = VMM_COMMAND_LINE_BYTES - 1 },
    { "cpu", "The processor that the guest sees: this machine's, or what all of a kind have",
      KEY_CHOICE, AT(model_vm, cpu), .value = "host", .choices = processors },
    { "vcpus", "How many processors the guest has", KEY_NUMBER, AT(model_vm, vcpus), .value = "1",
      .least = 1, .most = VMM_MAX_VCPUS },
    { "cores", "The cores on which vCPU 0, 1, ... run, from the beginning again if too few",
      KEY_NUMBERS, AT(model_vm, cores), .otherwise = "vCPU i on core i",
      .least = 0, .most = MACHINE_MAX_CORES - 1 },
    /* Servers run above. */
    { "priority", "The VM with the greater one runs first", KEY_NUMBER, AT(model_vm, priority),
      .value = "100", .least = 1, .most = 253 },
    { "period", "In each period each vCPU runs for at most its budget", KEY_TIME,
      AT(model_vm, period), .value = "10ms", .least = 20, .most = HOUR_US },
    { "budget", "How long each vCPU runs in each period at most", KEY_TIME, AT(model_vm, budget),
      .otherwise = "as the period", .least = 20, .most = HOUR_US, .needs = "period" },
    { "statistics", "Print how many exits of which kind there were when the VM ends", KEY_FLAG,
      AT(model_vm, statistics), .value = "false" },
    { "restart", "Whether the VM is started again when it has failed, or also when it has ended",
      KEY_CHOICE, AT(model_vm, restart), .value = "never", .choices = restarts },
    { "restart-delay", "How long after the first failure; doubled for each further one in a row",
      KEY_TIME, AT(model_vm, restart_delay), .value = "1s", .least = 1000, .most = HOUR_US,
      .needs = "restart" },
    { "restart-limit", "How many failures in a row are allowed before the VM is given up",
      KEY_NUMBER, AT(model_vm, restart_limit), .value = "5", .least = 1, .most = 1000000,
      .needs = "restart" },
    { "watchdog", "How long a vCPU may keep interrupts out before the VM counts as stuck",
      KEY_TIME, AT(model_vm, watchdog), .otherwise = "for ever", .least = 1000000,
      .most = HOUR_US },
    { "virtual-apic", "Local APICs are the processor's where it can have them", KEY_FLAG,
      AT(model_vm, virtual_apic), .value = "false" },
    { "disks", "What the guest sees as /dev/vda, /dev/vdb, ...", KEY_MAPS, AT(model_vm, disks),
      .count = offsetof(struct model_vm, nr_disks), .otherwise = "none",
      .least = 1, .most = VMM_MAX_DISKS, .language = &disk_language },
};
static const struct language vm_language = LANGUAGE("a VM", "VMs", model_vm, vm_keys);

/* Of PCs: their interrupts are known. */
static const struct key_choice ports[] = {
    { "0x3f8", 0x3f8 }, { "0x2f8", 0x2f8 }, { "0x3e8", 0x3e8 }, { "0x2e8", 0x2e8 }, { 0 },
};

static const struct key console_keys[] = {
    { "port", "I/O port of the UART, a 16550A", KEY_CHOICE, AT(model_console, port),
      .value = "0x3f8", .choices = ports },
    { "escape", "The key that is pressed before the console server's own", KEY_CONTROL,
      AT(model_console, escape), .value = "Ctrl-]" },
    { "colour", "Whether each VM's and server's name before its lines has a colour", KEY_FLAG,
      AT(model_console, colour), .value = "true" },
    { "first", "The VM that has the keyboard first", KEY_NAME, AT(model_console, first),
      .otherwise = "the first of the VMs", .least = 1, .most = VMM_NAME_BYTES - 1 },
};
static const struct language console_language =
    LANGUAGE("a console", "consoles", model_console, console_keys);

static const struct key_choice ends[] = {
    { "halt", SUPERVISOR_END_HALT }, { "exit", SUPERVISOR_END_EXIT }, { 0 },
};

static const struct key_choice logs[] = {
    { "notices", SERVER_LOG_NOTICES }, { "problems", SERVER_LOG_PROBLEMS }, { 0 },
};

static const struct key system_keys[] = {
    { "system", "What the system is called", KEY_NAME, AT(model, name), .required = true,
      .least = 1, .most = 31 },
    { "machine", "What the system may assume of the machine", KEY_MAP, AT(model, machine),
      .otherwise = "as its keys say", .language = &machine_language },
    { "console", "The serial port that the VMs share", KEY_MAP, AT(model, console),
      .otherwise = "as its keys say", .language = &console_language },
    { "vms", "The virtual machines", KEY_MAPS, AT(model, vms),
      .count = offsetof(struct model, nr_vms), .required = true,
      .least = 1, .most = SUPERVISOR_MAX_VMS, .language = &vm_language },
    { "at-end", "What happens when the last VM has ended: stay on, idle, or end the emulator",
      KEY_CHOICE, AT(model, at_end), .value = "halt", .choices = ends },
    { "log", "What supervisor and disk server say: also what goes well, or only problems",
      KEY_CHOICE, AT(model, log), .value = "notices", .choices = logs },
};
const struct language system_language =
    LANGUAGE("a system", "systems", model, system_keys);

#define HEX "[0-9A-Fa-f]"

static const struct key_kind kinds[] = {
    [KEY_NAME] = { "name", "a name of lower-case letters, digits and '-', a letter first",
                   "^[a-z][a-z0-9-]*$" },
    [KEY_TEXT] = { "text", "text", NULL },
    [KEY_UUID] = { "UUID", "a UUID such as 01234567-89ab-cdef-0123-456789abcdef, or 01234567-01",
                   "^" HEX "{8}-(" HEX "{2}|(" HEX "{4}-){3}" HEX "{12})$" },
    [KEY_FILE] = { "file", "the name of a file", NULL },
    [KEY_NUMBER] = { "number", "a whole number", NULL },
    [KEY_SIZE] = { "size", "a size with a unit, such as 512M or 2G", "^[0-9]+[KMGT](i?B)?$" },
    [KEY_TIME] = { "time", "a time with a unit, such as 10ms or 500us", "^[0-9]+(us|ms|s)$" },
    [KEY_FLAG] = { "flag", "'true' or 'false'", NULL },
    [KEY_CHOICE] = { "choice", NULL, NULL }, /* expected is what the key says */
    [KEY_CONTROL] = { "control key",
                      "a control key such as Ctrl-] or Ctrl-A, but not Ctrl-H, I, J, M, [ or @",
                      "^Ctrl-([A-GKLN-Z^_]|\\\\|\\])$" },
    [KEY_NUMBERS] = { "list of numbers", "a list of whole numbers, such as [0, 1]", NULL },
    [KEY_MAP] = { "map", "a map of keys", NULL },
    [KEY_MAPS] = { "list", "a list", NULL },
};

/* clang-format on */

const struct key_kind *key_kind(enum key_type type)
{
    return &kinds[type];
}

const struct key *language_find(const struct language *language, const char *name)
{
    for (size_t i = 0; i < language->count; i++) {
        if (strcmp(language->keys[i].name, name) == 0) {
            return &language->keys[i];
        }
    }
    return NULL;
}

static bool parse_choice(const struct key_choice *choice, const char *text, uint64_t *number)
{
    for (; choice->name != NULL; choice++) {
        if (strcmp(choice->name, text) == 0) {
            *number = choice->value;
            return true;
        }
    }
    return false;
}

bool key_parse(const struct key *key, const char *text, uint64_t *number)
{
    switch (key->type) {
    case KEY_SIZE:
        return value_size(text, number);
    case KEY_TIME:
        return value_time(text, number);
    case KEY_FLAG:
        return value_flag(text, number);
    case KEY_CHOICE:
        return parse_choice(key->choices, text, number);
    case KEY_CONTROL:
        *number = value_matches(text, kinds[KEY_CONTROL].pattern) ? text[5] & 0x1f : 0;
        return *number != 0;
    default:
        return value_number(text, number);
    }
}

/* In the greatest unit, each so many of the one before, of which it is a whole number. */
static const char *print_in_units(struct arena *arena, uint64_t number, uint64_t step,
                                  const char *const *units)
{
    while (number != 0 && number % step == 0 && units[1] != NULL) {
        number /= step;
        units++;
    }
    return arena_format(arena, "%llu%s", (unsigned long long)number, *units);
}

const char *key_print(struct arena *arena, const struct key *key, uint64_t number)
{
    static const char *const sizes[] = { "", "K", "M", "G", "T", NULL };
    static const char *const times[] = { "us", "ms", "s", NULL };
    static const char *const none[] = { "", NULL };
    bool is_size = key->type == KEY_SIZE, is_time = key->type == KEY_TIME;

    return print_in_units(arena, number, is_size ? 1024 : 1000,
                          is_size   ? sizes
                          : is_time ? times
                                    : none);
}

static void append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

static const char *finish_text(struct buffer *buffer)
{
    buffer_append(buffer, "", 1);
    return (const char *)buffer->bytes;
}

const char *key_choice_names(struct arena *arena, const struct key *key)
{
    struct buffer names = { .arena = arena };

    for (const struct key_choice *choice = key->choices; choice->name != NULL; choice++) {
        append_text(&names, choice == key->choices ? "" : choice[1].name == NULL ? " or " : ", ");
        append_text(&names, choice->name);
    }
    return finish_text(&names);
}

const char *language_names(struct arena *arena, const struct language *language, bool alternatives)
{
    struct buffer names = { .arena = arena };

    for (size_t i = 0; i < language->count; i++) {
        if (!alternatives || language->keys[i].alternative) {
            append_text(&names, names.length == 0 ? "" : ", ");
            append_text(&names, language->keys[i].name);
        }
    }
    return finish_text(&names);
}
