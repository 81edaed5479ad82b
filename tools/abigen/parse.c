/* SPDX-License-Identifier: BSD-2-Clause */
/* Takes the lists of a row apart. The syntax is described at the head of abi/invocations.def. */
#include "tools/abigen/abigen.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Reads a word of letters, digits, underscores; returns behind it and the blanks after it. */
static const char *read_word(const struct row *row, const char *text, char *word, size_t room)
{
    size_t length = 0;

    while (isalnum((unsigned char)text[length]) || text[length] == '_')
        length++;
    if (!length || length >= room)
        fail(row, "a parameter is not TYPE NAME");
    memcpy(word, text, length);
    word[length] = '\0';
    text += length;
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

static bool take_prefix(const char **text, const char *prefix, unsigned *number)
{
    size_t length = strlen(prefix);

    if (strncmp(*text, prefix, length) || !isdigit((unsigned char)(*text)[length]))
        return false;

    char *end;

    *number = (unsigned)strtoul(*text + length, &end, 10);
    *text = end + strspn(end, " \n");
    return true;
}

static const char *parse_parameter(const struct row *row, const char *text, struct parameter *p)
{
    *p = (struct parameter){ .kind = PARAMETER_WORD };
    if (!strncmp(text, "cap ", 4)) {
        p->kind = PARAMETER_CAP;
        text += 4;
    } else if (take_prefix(&text, "pack", &p->number)) {
        p->kind = PARAMETER_PACK;
    } else if (take_prefix(&text, "regs", &p->number)) {
        p->kind = PARAMETER_REGS;
    } else if (take_prefix(&text, "read", &p->number)) {
        p->kind = PARAMETER_READ;
    }
    text = read_word(row, text, p->type, sizeof(p->type));
    if ((*text == '*') != (p->kind == PARAMETER_REGS || p->kind == PARAMETER_READ))
        fail(row, "only register structures are passed by reference");
    if (*text == '*')
        text++;
    return read_word(row, text, p->name, sizeof(p->name));
}

static unsigned parse_list(const struct row *row, const char *text, struct parameter *list,
                           unsigned room)
{
    unsigned count = 0;

    if (*text++ != '(')
        fail(row, "a list does not begin with (");
    while (*text != ')') {
        if (count == room)
            fail(row, "too many parameters");
        text = parse_parameter(row, text, &list[count++]);
        if (*text == ',')
            text += 1 + strspn(text + 1, " \n");
        else if (*text != ')')
            fail(row, "expected , or ) behind a parameter");
    }
    return count;
}

/* Gives each parameter its message word or counts it as a capability. */
static void place_parameters(struct method *method)
{
    const struct parameter *previous = NULL;

    for (unsigned i = 0; i < method->nr_parameters; i++) {
        struct parameter *p = &method->parameters[i];

        switch (p->kind) {
        case PARAMETER_CAP:
            method->nr_caps++;
            continue; /* capabilities do not separate the parts of a packed word */
        case PARAMETER_PACK:
            if (!previous || previous->kind != PARAMETER_PACK)
                method->length++;
            p->word = method->length - 1;
            break;
        case PARAMETER_WORD:
            p->word = method->length++;
            break;
        case PARAMETER_REGS:
            p->word = method->length;
            method->length += p->number;
            break;
        case PARAMETER_READ:
            break;
        }
        previous = p;
    }
}

struct method parse_method(const struct row *row)
{
    struct method method = { .row = row };

    method.nr_parameters = parse_list(row, row->parameters, method.parameters, MAX_PARAMETERS);
    method.nr_results = parse_list(row, row->results, method.results, MAX_RESULTS);
    for (unsigned i = 0; i < method.nr_results; i++) {
        if (method.results[i].kind != PARAMETER_WORD)
            fail(row, "a result is a word");
    }
    place_parameters(&method);
    if (row->min_length > method.length || row->min_caps > method.nr_caps)
        fail(row, "the kernel would ask for more than the stub sends");
    if (method.nr_caps > 3)
        fail(row, "a message carries three capabilities");
    size_t errors = strlen(row->errors);
    if (errors && row->errors[errors - 1] != ';')
        fail(row, "the list of errors does not end in ;");
    return method;
}
