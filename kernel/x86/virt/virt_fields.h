/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The API's VCPU fields (ABI section 11.3), as far as both vendors have them alike. A field that
 * lies in the memory of the VCPU's object has a row: where, and which way it may be accessed. What
 * a value goes through besides, and what a write entails, is for each backend to say.
 */
#ifndef KERNEL_X86_VIRT_VIRT_FIELDS_H
#define KERNEL_X86_VIRT_VIRT_FIELDS_H

#include "kernel/object/vcpu.h"

enum virt_access { R = 1, W = 2, RW = 3 };

struct virt_field {
    u32 encoding;
    u8 access;
    u8 width;   /* bytes in memory */
    u16 offset; /* in the object (kernel/object/vcpu.h) */
};

/* A member of a structure that begins at base in the object; of the backend's own state. */
#define VIRT_FIELD(encoding, access, base, type, member)                                           \
    {                                                                                              \
        encoding, access, sizeof(((type *)0)->member), (base) + offsetof(type, member)             \
    }
#define VIRT_STATE_FIELD(encoding, access, type, member)                                           \
    VIRT_FIELD(encoding, access, VCPU_STATE_OFFSET + offsetof(struct vcpu, backend), type, member)

/* False: there is no such row, or not in this direction. */
bool virt_load(struct vcpu *vcpu, const struct virt_field *fields, unsigned count, u64 encoding,
               u64 *value);
bool virt_store(struct vcpu *vcpu, const struct virt_field *fields, unsigned count, u64 encoding,
                u64 value);

/* What of the value fits the field on either vendor. */
u64 virt_fit(u64 encoding, u64 value);

/* The fields that are neither vendor's, for what the backend has not got itself. */
bool virt_read_field(struct vcpu *vcpu, u64 encoding, u64 *value);
bool virt_write_field(struct vcpu *vcpu, u64 encoding, u64 value, u64 *written);

#endif
