/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/report.h"

#include <stdlib.h>

#include "tools/bulkhead/listing.h"

struct finding {
    struct position at;
    const char *kind;
    const char *text;
    size_t number; /* keeps the order of what stands at one place */
};

void report_init(struct report *report, struct arena *arena, const char *file)
{
    *report = (struct report){ .arena = arena, .file = file, .findings = { .arena = arena } };
}

/* Messages repeat parts of the file; what is in there must not get at the terminal. */
static const char *without_controls(char *text)
{
    for (char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f) {
            *at = '?';
        }
    }
    return text;
}

static void report_add(struct report *report, struct position at, const char *kind,
                       const char *format, va_list arguments)
{
    struct finding finding = {
        .at = at,
        .kind = kind,
        .text = without_controls(arena_format_v(report->arena, format, arguments)),
        .number = report->findings.length,
    };

    buffer_append(&report->findings, &finding, sizeof(finding));
}

void report_error(struct report *report, struct position at, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    report_add(report, at, "error", format, arguments);
    va_end(arguments);
    report->errors++;
}

void report_warning(struct report *report, struct position at, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    report_add(report, at, "warning", format, arguments);
    va_end(arguments);
    report->warnings++;
}

static int compare(const void *left, const void *right)
{
    const struct finding *a = left, *b = right;

    if (a->at.line != b->at.line) {
        return a->at.line < b->at.line ? -1 : 1;
    }
    if (a->at.column != b->at.column) {
        return a->at.column < b->at.column ? -1 : 1;
    }
    return a->number < b->number ? -1 : a->number > b->number;
}

static const struct finding *sorted(const struct report *report, size_t *count)
{
    struct finding *findings = (struct finding *)report->findings.bytes;

    *count = report->findings.length / sizeof(*findings);
    if (*count != 0) {
        qsort(findings, *count, sizeof(*findings), compare);
    }
    return findings;
}

void report_print(const struct report *report, FILE *to)
{
    size_t count;
    const struct finding *findings = sorted(report, &count);

    for (size_t i = 0; i < count; i++) {
        if (findings[i].at.line == 0) {
            fprintf(to, "%s: %s: %s\n", report->file, findings[i].kind, findings[i].text);
        } else {
            fprintf(to, "%s:%u:%u: %s: %s\n", report->file, findings[i].at.line,
                    findings[i].at.column, findings[i].kind, findings[i].text);
        }
    }
}

void report_print_json(const struct report *report, FILE *to)
{
    size_t count;
    const struct finding *findings = sorted(report, &count);

    fputs("{\n  \"file\": ", to);
    json_text(to, report->file);
    fprintf(to, ",\n  \"errors\": %u,\n  \"warnings\": %u,\n  \"findings\": [", report->errors,
            report->warnings);
    for (size_t i = 0; i < count; i++) {
        fprintf(to, "%s\n    { \"line\": %u, \"column\": %u, \"kind\": \"%s\", \"message\": ",
                i == 0 ? "" : ",", findings[i].at.line, findings[i].at.column, findings[i].kind);
        json_text(to, findings[i].text);
        fputs(" }", to);
    }
    fputs(count == 0 ? "]\n}\n" : "\n  ]\n}\n", to);
}
