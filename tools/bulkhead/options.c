/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum option_bit {
    OPTION_OUTPUT = 1u << 0,
    OPTION_ISO = 1u << 1,
    OPTION_JSON = 1u << 2,
    OPTION_DISK = 1u << 3,
    OPTION_ARTIFACTS = 1u << 4,
    OPTION_COMPONENTS = 1u << 5,
    OPTION_KERNEL = 1u << 6,
    OPTION_HELP = 1u << 7,
};

/* In the order of their bits. */
static const struct option_text {
    const char *name;
    const char *written;
    const char *help; /* lines are 54 characters at most */
} option_texts[] = {
    { "output", "-o, --output PATH", "where the result goes" },
    { "iso", "    --iso", "also DIR/image.iso, for BIOS and UEFI, CD or USB stick" },
    { "json", "    --json", "for programs: findings or tables as JSON" },
    { "disk", "    --disk [SERIAL=]IMAGE",
      "check whether the partitions that FILE names are on\n"
      "this disk or image of one; may be repeated for the\n"
      "machine's other disks" },
    { "artifacts", "    --artifacts DIR",
      "look here for files that are not beside FILE; may be\n"
      "repeated (default: guest/ in the build tree that\n"
      "bulkhead is in)" },
    { "components", "    --components DIR",
      "init.elf, supervisor.elf, vmm.elf, console.elf and\n"
      "sataserver.elf (default: user/ in that build tree)" },
    { "kernel", "    --kernel FILE", "for --iso (default: kernel/bulkhead.elf in that tree)" },
    { "help", "-h, --help", "of all commands, or of the one that is named" },
};

#define NR_OPTIONS (sizeof(option_texts) / sizeof(option_texts[0]))

static const struct command_text {
    const char *name;
    const char *arguments;
    const char *summary;
    unsigned options; /* enum option_bit */
    bool takes_file;
} command_texts[] = {
    [COMMAND_CHECK] = { "check", "FILE [--json] [--disk [SERIAL=]IMAGE]...",
                        "says all that is wrong with a system description",
                        OPTION_JSON | OPTION_DISK | OPTION_ARTIFACTS, true },
    [COMMAND_BUILD] = { "build", "FILE -o DIR [--iso]",
                        "makes the boot image DIR/image.elf: the kernel's first module",
                        OPTION_OUTPUT | OPTION_ISO | OPTION_ARTIFACTS | OPTION_COMPONENTS |
                            OPTION_KERNEL,
                        true },
    [COMMAND_GRAPH] = { "graph", "FILE [-o FILE.dot|FILE.svg|...]",
                        "draws who can reach what: as Graphviz source on standard output,\n"
                        "or in the format that the name after -o ends in, by Graphviz's\n"
                        "program dot",
                        OPTION_OUTPUT | OPTION_ARTIFACTS | OPTION_COMPONENTS, true },
    [COMMAND_REPORT] = { "report", "FILE [--json] [-o FILE]",
                         "says as text who can read, write, signal, interrupt and use what,\n"
                         "with all capabilities",
                         OPTION_OUTPUT | OPTION_JSON | OPTION_ARTIFACTS | OPTION_COMPONENTS, true },
    [COMMAND_LABELS] = { "labels", "FILE",
                         "prints the labels of the partitions that the VMs' disks name, one\n"
                         "on a line",
                         OPTION_ARTIFACTS, true },
    [COMMAND_MACHINE] = { "machine", "FILE",
                          "prints the cores, memory and console port that the machine is\n"
                          "assumed to have",
                          OPTION_ARTIFACTS, true },
    [COMMAND_SCHEMA] = { "schema", "",
                         "prints the language of descriptions as a JSON Schema, for editors", 0,
                         false },
};

static const char ending[] =
    "\n"
    "Exit status: 0 good, 1 the description is wrong, 2 the command line is wrong, 3 something\n"
    "else is missing or cannot be written. docs/system-description.md explains the language.\n";

/* --- Help --------------------------------------------------------------------------------------
 */

/* A name and what it means; further lines begin below that. */
static void print_entry(const char *name, int width, const char *text)
{
    printf("  %-*s  ", width, name);
    for (; *text != '\0'; text++) {
        putchar(*text);
        if (*text == '\n') {
            printf("  %*s  ", width, "");
        }
    }
    putchar('\n');
}

static void print_usage(FILE *to, enum command command)
{
    enum command first = command == COMMAND_NONE ? COMMAND_NONE + 1 : command;
    enum command end = command == COMMAND_NONE ? NR_COMMANDS : command + 1;

    for (enum command i = first; i < end; i++) {
        const struct command_text *text = &command_texts[i];

        fprintf(to, "%s bulkhead %s%s%s\n", i == first ? "usage:" : "      ", text->name,
                *text->arguments != '\0' ? " " : "", text->arguments);
    }
}

static void print_options(unsigned options)
{
    puts("\noptions:");
    for (size_t i = 0; i < NR_OPTIONS; i++) {
        if ((options & 1u << i) != 0) {
            print_entry(option_texts[i].written, 25, option_texts[i].help);
        }
    }
}

void options_help(enum command command)
{
    print_usage(stdout, command);
    if (command != COMMAND_NONE) {
        printf("\n%s %s\n", command_texts[command].name, command_texts[command].summary);
        print_options(command_texts[command].options | OPTION_HELP);
    } else {
        puts("\ncommands:");
        for (enum command i = COMMAND_NONE + 1; i < NR_COMMANDS; i++) {
            print_entry(command_texts[i].name, 7, command_texts[i].summary);
        }
        print_options((1u << NR_OPTIONS) - 1);
    }
    fputs(ending, stdout);
}

/* --- What was given ----------------------------------------------------------------------------
 */

/* The option's argument to a list of at most so many. */
static bool append(const char **list, size_t *count, size_t most)
{
    if (*count == most) {
        fprintf(stderr, "bulkhead: more than %zu of one option\n", most);
        return false;
    }
    list[(*count)++] = optarg;
    return true;
}

static bool take_option(struct options *options, int option)
{
    switch (option) {
    case OPTION_OUTPUT:
        options->output = optarg;
        return true;
    case OPTION_ISO:
        options->iso = true;
        return true;
    case OPTION_JSON:
        options->json = true;
        return true;
    case OPTION_COMPONENTS:
        options->components = optarg;
        return true;
    case OPTION_KERNEL:
        options->kernel = optarg;
        return true;
    case OPTION_HELP:
        options->help = true;
        return true;
    case OPTION_ARTIFACTS:
        return append(options->artifacts, &options->nr_artifacts, OPTIONS_MAX_ARTIFACTS);
    case OPTION_DISK:
        return append(options->disks, &options->nr_disks, OPTIONS_MAX_DISKS);
    default: /* getopt_long() has said what is wrong */
        return false;
    }
}

static enum command find_command(const char *name)
{
    for (enum command i = COMMAND_NONE + 1; i < NR_COMMANDS; i++) {
        if (strcmp(command_texts[i].name, name) == 0) {
            return i;
        }
    }
    return COMMAND_NONE;
}

static const char *option_name(unsigned options)
{
    return option_texts[__builtin_ctz(options)].name;
}

/* Whether the command takes so many files and these options, and says so if not. */
static bool fits(const struct options *options, int files, unsigned given)
{
    const struct command_text *text = &command_texts[options->command];
    unsigned foreign = given & ~(text->options | OPTION_HELP);

    if (foreign != 0) {
        fprintf(stderr, "bulkhead: %s takes no --%s\n", text->name, option_name(foreign));
    } else if (files != text->takes_file && !(options->help && files == 0)) {
        fprintf(stderr, "bulkhead: %s takes %s FILE\n", text->name,
                text->takes_file ? "exactly one" : "no");
    } else if (options->command == COMMAND_BUILD && options->output == NULL && !options->help) {
        fprintf(stderr, "bulkhead: build needs -o DIR\n");
    } else {
        return true;
    }
    print_usage(stderr, options->command);
    return false;
}

bool options_read(struct options *options, int count, char **arguments)
{
    static const struct option known[] = {
        { "output", required_argument, NULL, OPTION_OUTPUT },
        { "iso", no_argument, NULL, OPTION_ISO },
        { "json", no_argument, NULL, OPTION_JSON },
        { "disk", required_argument, NULL, OPTION_DISK },
        { "artifacts", required_argument, NULL, OPTION_ARTIFACTS },
        { "components", required_argument, NULL, OPTION_COMPONENTS },
        { "kernel", required_argument, NULL, OPTION_KERNEL },
        { "help", no_argument, NULL, OPTION_HELP },
        { NULL, 0, NULL, 0 },
    };
    unsigned given = 0;
    int option;

    while ((option = getopt_long(count, arguments, "o:h", known, NULL)) != -1) {
        option = option == 'o' ? OPTION_OUTPUT : option == 'h' ? OPTION_HELP : option;
        if (!take_option(options, option)) {
            print_usage(stderr, COMMAND_NONE);
            return false;
        }
        given |= (unsigned)option;
    }
    if (optind == count) {
        if (!options->help) {
            print_usage(stderr, COMMAND_NONE);
        }
        return options->help;
    }
    options->command = find_command(arguments[optind]);
    options->description = arguments[optind + 1]; /* null if there is none */
    if (options->command == COMMAND_NONE) {
        fprintf(stderr, "bulkhead: unknown command '%s'\n", arguments[optind]);
        print_usage(stderr, COMMAND_NONE);
        return false;
    }
    return fits(options, count - optind - 1, given);
}
