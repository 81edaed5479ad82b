/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an invocation answers, as the label of the reply, and why a capability address did not
 * resolve. The words that follow:
 *
 *      InvalidArgument     0 argument number
 *      InvalidCapability   0 capability number (0 = the invoked one, extra ones from 1)
 *      RangeError          0 minimum, 1 maximum
 *      FailedLookup        0 one if a source lookup, else zero; from 1: the lookup failure
 *      NotEnoughMemory     0 bytes available
 *
 * A lookup failure is its type followed by
 *      InvalidRoot         -
 *      MissingCapability   bits left
 *      DepthMismatch       bits left, bits found
 *      GuardMismatch       bits left, guard found, bits found
 */
#ifndef ABI_ERRORS_H
#define ABI_ERRORS_H

typedef enum {
    seL4_NoError = 0,
    seL4_InvalidArgument,
    seL4_InvalidCapability,
    seL4_IllegalOperation,
    seL4_RangeError,
    seL4_AlignmentError,
    seL4_FailedLookup,
    seL4_TruncatedMessage,
    seL4_DeleteFirst,
    seL4_RevokeFirst,
    seL4_NotEnoughMemory,
    seL4_NumErrors,
} seL4_Error;

_Static_assert(seL4_NotEnoughMemory == 10, "published numbers");

typedef enum {
    seL4_NoFailure = 0,
    seL4_InvalidRoot,
    seL4_MissingCapability,
    seL4_DepthMismatch,
    seL4_GuardMismatch,
} seL4_LookupFailureType;

/* bitsLeft of the MissingCapability failure that names a missing paging structure. */
#define SEL4_MAPPING_LOOKUP_LEVEL      2 /* the message word that holds it */
#define SEL4_MAPPING_LOOKUP_NO_PT      21
#define SEL4_MAPPING_LOOKUP_NO_PD      30
#define SEL4_MAPPING_LOOKUP_NO_PDPT    39
#define SEL4_MAPPING_LOOKUP_NO_EPTPT   21
#define SEL4_MAPPING_LOOKUP_NO_EPTPD   30
#define SEL4_MAPPING_LOOKUP_NO_EPTPDPT 39

#endif
