/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the fuzzer's threads ask of the kernel: mostly messages that make sense, so that they get
 * far, and some with a word, a capability or a length that does not. All choices are made from a
 * stream of bytes: the fuzzer's input, and pseudo-random ones when that is used up.
 */
#ifndef TESTS_FUZZ_KERNEL_MESSAGES_H
#define TESTS_FUZZ_KERNEL_MESSAGES_H

#include "kernel/object/cap.h"

#define MESSAGE_MAX_WORDS 24

struct message {
    u64 cptr;
    u64 label;
    unsigned length;
    u64 word[MESSAGE_MAX_WORDS];
    unsigned nr_extra;
    u64 extra[3];
};

/* The initial task's CNode and the slots in it that the fuzzer fills. */
struct playground {
    struct slot *slots;
    u64 start, end;    /* for new capabilities */
    u64 untyped_start; /* boot's */
    u64 image_address; /* where the initial task lies; multiples of 1 KiB from here are its own */
};

extern struct playground playground;

/* --- choices --------------------------------------------------------------------------------- */

void choices_begin(const u8 *data, size_t size);
/* The input has been used up (pseudo-random choices go on). */
bool choices_spent(void);
unsigned choose(unsigned limit);
u64 choose_word(void);
/* One in n. */
static inline bool chance(unsigned n)
{
    return choose(n) == 0;
}

/* --- messages -------------------------------------------------------------------------------- */

/* A slot that holds a capability of the type, if there is one; else any. */
u64 choose_slot_of(enum cap_type type);
u64 choose_play_slot(void);
/* An invocation of a kernel object. */
void message_invocation(struct message *message);
/* A message through an endpoint, notification or reply. */
void message_ipc(struct message *message);

#endif
