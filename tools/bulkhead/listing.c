/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/listing.h"

#include <string.h>

void json_text(FILE *to, const char *text)
{
    fputc('"', to);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\') {
            fprintf(to, "\\%c", c);
        } else if (c < ' ' || c == 0x7f) {
            fprintf(to, "\\u%04x", c);
        } else {
            fputc(c, to);
        }
    }
    fputc('"', to);
}

void listing_begin(struct listing *listing, struct arena *arena, FILE *to, bool json)
{
    *listing = (struct listing){ .to = to, .json = json, .arena = arena };
    if (json) {
        fputc('{', to);
    }
}

static void begin_member(struct listing *listing, const char *key)
{
    fprintf(listing->to, "%s\n  \"%s\": ", listing->nr_members++ == 0 ? "" : ",", key);
}

void listing_text(struct listing *listing, const char *key, const char *text)
{
    if (listing->json) {
        begin_member(listing, key);
        json_text(listing->to, text);
    } else {
        fprintf(listing->to, "%s: %s\n", key, text);
    }
}

void listing_table(struct listing *listing, const char *key, const char *title,
                   const char *const *columns)
{
    listing->columns = columns;
    listing->cells = (struct buffer){ .arena = listing->arena };
    listing->nr_columns = 0;
    while (columns[listing->nr_columns] != NULL) {
        listing->nr_columns++;
    }
    if (listing->json) {
        begin_member(listing, key);
        fputc('[', listing->to);
    } else {
        fprintf(listing->to, "\n%s\n", title);
    }
}

void listing_row(struct listing *listing, const char *const *cells)
{
    buffer_append(&listing->cells, cells, listing->nr_columns * sizeof(*cells));
}

static const char *column_name(const struct listing *listing, size_t column)
{
    const char *name = listing->columns[column];

    return *name == '#' ? name + 1 : name;
}

static void print_json_row(const struct listing *listing, const char *const *cells, bool first)
{
    fprintf(listing->to, "%s\n    { ", first ? "" : ",");
    for (size_t i = 0; i < listing->nr_columns; i++) {
        fprintf(listing->to, "%s\"%s\": ", i == 0 ? "" : ", ", column_name(listing, i));
        if (*listing->columns[i] == '#') {
            fputs(cells[i], listing->to);
        } else {
            json_text(listing->to, cells[i]);
        }
    }
    fputs(" }", listing->to);
}

/* Numbers to the right, and no blanks at the end of a line. */
static void print_text_row(const struct listing *listing, const char *const *cells,
                           const size_t *widths)
{
    size_t count = listing->nr_columns;

    while (count > 1 && *cells[count - 1] == '\0') {
        count--;
    }
    for (size_t i = 0; i < count; i++) {
        bool number = *listing->columns[i] == '#';
        int width = number || i + 1 < count ? (int)widths[i] : 0;

        fprintf(listing->to, "  %*s", number ? width : -width, cells[i]);
    }
    fputc('\n', listing->to);
}

static void print_text_rows(const struct listing *listing, const char *const *cells, size_t nr_rows)
{
    const char *names[LISTING_MAX_COLUMNS] = { NULL };
    size_t widths[LISTING_MAX_COLUMNS] = { 0 };

    for (size_t i = 0; i < listing->nr_columns; i++) {
        names[i] = column_name(listing, i);
        widths[i] = strlen(names[i]);
        for (size_t row = 0; row < nr_rows; row++) {
            size_t length = strlen(cells[row * listing->nr_columns + i]);

            widths[i] = length > widths[i] ? length : widths[i];
        }
    }
    if (nr_rows == 0) {
        fputs("  none\n", listing->to);
        return;
    }
    print_text_row(listing, names, widths);
    for (size_t row = 0; row < nr_rows; row++) {
        print_text_row(listing, cells + row * listing->nr_columns, widths);
    }
}

void listing_table_end(struct listing *listing)
{
    const char *const *cells = (const char *const *)listing->cells.bytes;
    size_t nr_rows = listing->cells.length / sizeof(*cells) / listing->nr_columns;

    if (!listing->json) {
        print_text_rows(listing, cells, nr_rows);
        return;
    }
    for (size_t row = 0; row < nr_rows; row++) {
        print_json_row(listing, cells + row * listing->nr_columns, row == 0);
    }
    fputs(nr_rows == 0 ? "]" : "\n  ]", listing->to);
}

void listing_end(struct listing *listing)
{
    if (listing->json) {
        fputs("\n}\n", listing->to);
    }
}
