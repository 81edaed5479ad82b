/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The language of descriptions, in one table: a row for each key. The parser and its messages
 * (model.h) and the schema for editors (schema.h) are made of it, and a test compares the tables of
 * docs/system-description.md with it.
 *
 * What concerns several values, or files, is a rule of check.c.
 */
#ifndef TOOLS_BULKHEAD_LANGUAGE_H
#define TOOLS_BULKHEAD_LANGUAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/bulkhead/arena.h"

/* What a value is, and the member of the model that it is read into. */
enum key_type {
    KEY_NAME,   /* struct model_text */
    KEY_TEXT,   /* struct model_text */
    KEY_UUID,   /* struct model_text */
    KEY_FILE,   /* struct model_file */
    KEY_NUMBER, /* this and the five that follow: struct model_number */
    KEY_SIZE,
    KEY_TIME,
    KEY_FLAG,
    KEY_CHOICE,
    KEY_CONTROL,
    KEY_NUMBERS, /* struct model_numbers */
    KEY_MAP,     /* the structure that the key's language describes */
    KEY_MAPS,    /* a pointer to some of these, and their number */
};

struct key_choice {
    const char *name; /* null: the end */
    uint64_t value;
};

struct key {
    const char *name;
    const char *meaning; /* one line, what an editor shows */
    enum key_type type;
    size_t offset; /* of the member */
    size_t count;  /* KEY_MAPS: of the member with their number */
    /* Without the key: it is missing, it has this value, or what these words say holds. */
    bool required;
    const char *value;
    const char *otherwise;
    /*
     * From least to most. Numbers, each of a list: in the unit of the type, or this one; names and
     * texts: characters; KEY_MAPS: how many. Both 0: any.
     */
    uint64_t least, most;
    const char *unit;
    bool alternative;                 /* exactly one of the map's keys that are must be there */
    const char *needs;                /* null, or a key that must be there, too */
    const struct key_choice *choices; /* KEY_CHOICE */
    const struct language *language;  /* KEY_MAP, KEY_MAPS */
};

/* The keys of a map. */
struct language {
    const char *what; /* "a VM", for messages */
    const char *some; /* "VMs" */
    size_t bytes;     /* of the structure that it is read into */
    const struct key *keys;
    size_t count;
};

/* What all keys of a type have in common. */
struct key_kind {
    const char *name;     /* "size" */
    const char *expected; /* "a size with a unit, such as 512M", for messages */
    const char *pattern;  /* of the texts that are one, a regular expression; null: all are */
};

/* Of the whole file: struct model. */
extern const struct language system_language;

const struct key_kind *key_kind(enum key_type type);
/* Null if there is none of that name. */
const struct key *language_find(const struct language *language, const char *name);
/* Whether the text stands for a number of a key of such a type. */
bool key_parse(const struct key *key, const char *text, uint64_t *number);
/* The number as one would write it as a value of the key. */
const char *key_print(struct arena *arena, const struct key *key, uint64_t number);
/* "a, b or c"; the names of the choices. */
const char *key_choice_names(struct arena *arena, const struct key *key);
/* The names of all keys, or of those that are alternatives: "a, b, c". */
const char *language_names(struct arena *arena, const struct language *language, bool alternatives);

#endif
