/* SPDX-License-Identifier: BSD-2-Clause */
/* CNode operations, address resolution, rights, badges, derivation. */
#include "tests/kernel/harness.h"

static seL4_CPtr endpoint_new(void)
{
    return object_new(seL4_EndpointObject, 0);
}

static seL4_Error copy(seL4_CPtr to, seL4_CPtr from)
{
    return seL4_CNode_Copy(ROOT, to, DEPTH, ROOT, from, DEPTH, seL4_AllRights);
}

static void depths(void)
{
    seL4_CPtr from = endpoint_new(), to = slot_new();

    CHECK_RANGE(seL4_CNode_Delete(ROOT, to, 0), 1, 64);
    CHECK_RANGE(seL4_CNode_Delete(ROOT, to, 65), 1, 64);
    CHECK_RANGE(seL4_CNode_Revoke(ROOT, to, 0), 1, 64);
    CHECK_RANGE(seL4_CNode_Copy(ROOT, to, 0, ROOT, from, DEPTH, seL4_AllRights), 1, 64);
    CHECK_RANGE(seL4_CNode_Copy(ROOT, to, DEPTH, ROOT, from, 0, seL4_AllRights), 1, 64);
    CHECK_RANGE(seL4_CNode_Copy(ROOT, to, DEPTH, ROOT, from, 65, seL4_AllRights), 1, 64);
    /* The guard matches, and then a bit is missing: what was left, and what the CNode takes. */
    CHECK_LOOKUP(seL4_CNode_Delete(ROOT, to, 63), 0, seL4_DepthMismatch, 63, 64);
    CHECK_EQ(cap_tag(to), TAG_NULL);
}

/* Two levels: the outer CNode with a guard, the inner one without. */
static void resolution(void)
{
    seL4_CPtr outer = object_new(seL4_CapTableObject, 4);
    seL4_CPtr inner = object_new(seL4_CapTableObject, 8);
    seL4_CPtr guarded = cap_mint(outer, seL4_AllRights, seL4_CNode_CapData_new(0x5, 4).words[0]);
    seL4_CPtr endpoint = endpoint_new();

    REQUIRE_OK(seL4_CNode_Copy(outer, 3, 4, ROOT, inner, DEPTH, seL4_AllRights));
    REQUIRE_OK(seL4_CNode_Copy(outer, 4, 4, ROOT, endpoint, DEPTH, seL4_AllRights));
    /* guard 5, slot 3, then eight bits of the inner one */
    CHECK_OK(seL4_CNode_Copy(guarded, 0x5377, 16, ROOT, endpoint, DEPTH, seL4_AllRights));
    CHECK_ERROR(seL4_CNode_Copy(guarded, 0x5377, 16, ROOT, endpoint, DEPTH, seL4_AllRights),
                seL4_DeleteFirst);
    CHECK_ERROR(seL4_CNode_Copy(inner, 0x77, 8, ROOT, endpoint, DEPTH, seL4_AllRights),
                seL4_DeleteFirst);
    /* Bits above the depth do not count. */
    CHECK_ERROR(seL4_CNode_Copy(inner, 0xff77, 8, ROOT, endpoint, DEPTH, seL4_AllRights),
                seL4_DeleteFirst);
    /* The guard does not match: found guard and its size are told. */
    CHECK_LOOKUP(seL4_CNode_Delete(guarded, 0x6377, 16), 0, seL4_GuardMismatch, 16, 5, 4);
    /* Fewer bits than the guard has: a mismatch, too. */
    CHECK_LOOKUP(seL4_CNode_Delete(guarded, 0x5, 3), 0, seL4_GuardMismatch, 3, 5, 4);
    /* The guard matches, the radix needs more bits than are left. */
    CHECK_LOOKUP(seL4_CNode_Delete(guarded, 0x5 << 2, 6), 0, seL4_DepthMismatch, 6, 8);
    CHECK_LOOKUP(seL4_CNode_Delete(guarded, 0x53 << 4, 12), 0, seL4_DepthMismatch, 4, 8);
    /* Bits are left when something that is no CNode is found. */
    CHECK_LOOKUP(seL4_CNode_Delete(guarded, 0x5412, 16), 0, seL4_DepthMismatch, 8, 0);
    CHECK_LOOKUP(seL4_CNode_Delete(guarded, 0x5912, 16), 0, seL4_DepthMismatch, 8, 0);
    /* A root that is none. */
    CHECK_LOOKUP(seL4_CNode_Copy(ROOT, slot_new(), DEPTH, endpoint, 1, 8, seL4_AllRights), 1,
                 seL4_InvalidRoot);
}

/* In what order copies are refused: target, occupied, source, empty source. */
static void precedence(void)
{
    seL4_CPtr from = endpoint_new(), empty = slot_new(), to = slot_new();

    CHECK_ERROR(copy(from, from), seL4_DeleteFirst);
    CHECK_ERROR(copy(from, empty), seL4_DeleteFirst);
    CHECK_ERROR(copy(from, 1ul << 40), seL4_DeleteFirst);
    CHECK_LOOKUP(copy(to, 1ul << 40), 1, seL4_GuardMismatch, 64, 0, 47);
    CHECK_LOOKUP(copy(to, empty), 1, seL4_MissingCapability, DEPTH);
    CHECK_LOOKUP(copy(1ul << 40, empty), 0, seL4_GuardMismatch, 64, 0, 47);
    CHECK_LOOKUP(seL4_CNode_Move(ROOT, to, DEPTH, ROOT, empty, DEPTH), 1, seL4_MissingCapability,
                 DEPTH);
    CHECK_LOOKUP(seL4_CNode_Mint(ROOT, to, DEPTH, ROOT, empty, DEPTH, seL4_AllRights, 0), 1,
                 seL4_MissingCapability, DEPTH);
    CHECK_LOOKUP(seL4_CNode_Mutate(ROOT, to, DEPTH, ROOT, empty, DEPTH, 0), 1,
                 seL4_MissingCapability, DEPTH);
    CHECK_ERROR(seL4_CNode_Move(ROOT, from, DEPTH, ROOT, from, DEPTH), seL4_DeleteFirst);
    CHECK_ERROR(seL4_CNode_Mutate(ROOT, from, DEPTH, ROOT, from, DEPTH, 0), seL4_DeleteFirst);
    /* Deleting and revoking what is empty succeeds. */
    CHECK_OK(cap_delete(empty));
    CHECK_OK(cap_revoke(empty));
}

/* The message is checked in two steps: two words, then four and the root, then the method's own. */
static void short_messages(void)
{
    seL4_CPtr from = endpoint_new(), to = slot_new();
    const seL4_CPtr root[] = { ROOT };
    const seL4_Word words[] = { to, DEPTH, from, DEPTH, 15, 0 };
    const seL4_Word occupied[] = { from, DEPTH, from, DEPTH, 15, 0 };
    const seL4_Word nowhere[] = { 1ul << 40, DEPTH, from, DEPTH, 15, 0 };

    CHECK_EQ(invoke(ROOT, CNodeDelete, 0, NULL, 1, words), seL4_TruncatedMessage);
    CHECK_EQ(invoke(ROOT, CNodeCopy, 1, root, 1, words), seL4_TruncatedMessage);
    CHECK_EQ(invoke(ROOT, CNodeCopy, 1, root, 3, words), seL4_TruncatedMessage);
    CHECK_EQ(invoke(ROOT, CNodeCopy, 0, NULL, 5, words), seL4_TruncatedMessage);
    CHECK_EQ(invoke(ROOT, CNodeCopy, 1, root, 4, words), seL4_TruncatedMessage);
    CHECK_EQ(invoke(ROOT, CNodeMint, 1, root, 5, words), seL4_TruncatedMessage);
    CHECK_EQ(invoke(ROOT, CNodeMutate, 1, root, 4, words), seL4_TruncatedMessage);
    CHECK_EQ(invoke(ROOT, CNodeRotate, 1, root, 8, words), seL4_TruncatedMessage);
    /* The target is looked up between the first and the second step. */
    CHECK_EQ(invoke(ROOT, CNodeCopy, 1, root, 2, nowhere), seL4_FailedLookup);
    /* The method's own words are counted after target and source have been looked at. */
    CHECK_EQ(invoke(ROOT, CNodeCopy, 1, root, 4, occupied), seL4_DeleteFirst);
    CHECK_EQ(invoke(ROOT, CNodeMove, 1, root, 4, words), seL4_NoError);
    CHECK_EQ(cap_tag(to), TAG_ENDPOINT);
}

static void move_and_delete(void)
{
    seL4_CPtr from = endpoint_new(), to = slot_new();

    CHECK_OK(seL4_CNode_Move(ROOT, to, DEPTH, ROOT, from, DEPTH));
    CHECK_EQ(cap_tag(from), TAG_NULL);
    CHECK_EQ(cap_tag(to), TAG_ENDPOINT);
    CHECK_OK(cap_delete(to));
    CHECK_EQ(cap_tag(to), TAG_NULL);
}

/* The badge that a signal through the capability brings. */
static seL4_Word badge_of(seL4_CPtr cap, seL4_CPtr notification)
{
    seL4_Signal(cap);
    return sys(seL4_SysNBWait, notification, INFO(0, 0), 0, 0, 0, 0, 0, 0).badge;
}

static void badges(void)
{
    seL4_CPtr notification = object_new(seL4_NotificationObject, 0);
    seL4_CPtr endpoint = endpoint_new();
    seL4_CPtr badged, to = slot_new();

    badged = cap_mint(notification, seL4_AllRights, 0x8000000000000001);
    CHECK_EQ(badge_of(badged, notification), 0x8000000000000001);
    CHECK_EQ(badge_of(cap_copy(badged, seL4_AllRights), notification), 0x8000000000000001);
    /* A badge is for ever. */
    CHECK_ILLEGAL(seL4_CNode_Mint(ROOT, to, DEPTH, ROOT, badged, DEPTH, seL4_AllRights, 5));
    /* No badge stays no badge. */
    CHECK_EQ(badge_of(cap_mint(notification, seL4_AllRights, 0), notification), 0);
    /* Mutate does not badge. */
    CHECK_ILLEGAL(seL4_CNode_Mutate(ROOT, to, DEPTH, ROOT, endpoint, DEPTH, 5));
    CHECK_ILLEGAL(seL4_CNode_Mutate(ROOT, to, DEPTH, ROOT, notification, DEPTH, 0));
    CHECK_EQ(cap_tag(to), TAG_NULL);
    CHECK_EQ(cap_tag(endpoint), TAG_ENDPOINT);
}

static void guards(void)
{
    seL4_CPtr cnode = object_new(seL4_CapTableObject, 4);
    seL4_CPtr to = slot_new(), moved = slot_new();

    /* Guard and radix together: at most 64 bits. */
    CHECK_ILLEGAL(seL4_CNode_Mint(ROOT, to, DEPTH, ROOT, cnode, DEPTH, seL4_AllRights,
                                  seL4_CNode_CapData_new(0, 61).words[0]));
    CHECK_OK(seL4_CNode_Mint(ROOT, to, DEPTH, ROOT, cnode, DEPTH, seL4_AllRights,
                             seL4_CNode_CapData_new(0, 60).words[0]));
    CHECK_OK(seL4_CNode_Copy(to, 2, 64, ROOT, cnode, DEPTH, seL4_AllRights));
    /* Mutate changes the guard in place, to none here. */
    CHECK_OK(seL4_CNode_Mutate(ROOT, moved, DEPTH, ROOT, to, DEPTH, 0));
    CHECK_EQ(cap_tag(to), TAG_NULL);
    CHECK_LOOKUP(seL4_CNode_Delete(moved, 2, 64), 0, seL4_DepthMismatch, 60, 0);
    CHECK_OK(seL4_CNode_Delete(moved, 2, 4));
    CHECK_ILLEGAL(seL4_CNode_Mutate(ROOT, to, DEPTH, ROOT, moved, DEPTH,
                                    seL4_CNode_CapData_new(0, 61).words[0]));
}

static void rotate(void)
{
    seL4_CPtr a = endpoint_new(), b = object_new(seL4_NotificationObject, 0), to = slot_new();
    seL4_CPtr c1 = object_new(seL4_CapTableObject, 2), c2 = object_new(seL4_CapTableObject, 3);

    /*
     * The pivot goes to the target, the source to the pivot's slot. Data 0 changes a CNode's
     * guard only.
     */
    CHECK_OK(seL4_CNode_Rotate(ROOT, to, DEPTH, 0, ROOT, c1, DEPTH, 0, ROOT, c2, DEPTH));
    CHECK_EQ(cap_tag(c2), TAG_NULL);
    CHECK_OK(copy(c2, to));
    CHECK_OK(cap_delete(c2));
    /* Target = source: swaps. */
    CHECK_OK(seL4_CNode_Rotate(ROOT, to, DEPTH, 0, ROOT, c1, DEPTH, 0, ROOT, to, DEPTH));
    CHECK_EQ(cap_tag(to), TAG_CNODE);
    CHECK_EQ(cap_tag(c1), TAG_CNODE);
    /* The pivot must be neither. */
    CHECK_ILLEGAL(seL4_CNode_Rotate(ROOT, c2, DEPTH, 0, ROOT, to, DEPTH, 0, ROOT, to, DEPTH));
    CHECK_ILLEGAL(seL4_CNode_Rotate(ROOT, to, DEPTH, 0, ROOT, to, DEPTH, 0, ROOT, c1, DEPTH));
    CHECK_ERROR(seL4_CNode_Rotate(ROOT, a, DEPTH, 0, ROOT, to, DEPTH, 0, ROOT, c1, DEPTH),
                seL4_DeleteFirst);
    /* Empty source, empty pivot. */
    CHECK_LOOKUP(seL4_CNode_Rotate(ROOT, slot_new(), DEPTH, 0, ROOT, to, DEPTH, 0, ROOT, c2, DEPTH),
                 1, seL4_MissingCapability, DEPTH);
    CHECK_LOOKUP(seL4_CNode_Rotate(ROOT, slot_new(), DEPTH, 0, ROOT, c2, DEPTH, 0, ROOT, to, DEPTH),
                 0, seL4_MissingCapability, DEPTH);
    /* Lookups of pivot and source. */
    CHECK_LOOKUP(
        seL4_CNode_Rotate(ROOT, slot_new(), DEPTH, 0, ROOT, 1ul << 40, DEPTH, 0, ROOT, to, DEPTH),
        1, seL4_GuardMismatch, 64, 0, 47);
    CHECK_LOOKUP(
        seL4_CNode_Rotate(ROOT, slot_new(), DEPTH, 0, ROOT, to, DEPTH, 0, ROOT, 1ul << 40, DEPTH),
        1, seL4_GuardMismatch, 64, 0, 47);
    CHECK_RANGE(seL4_CNode_Rotate(ROOT, slot_new(), DEPTH, 0, ROOT, to, 0, 0, ROOT, c1, DEPTH), 1,
                64);
    /* Endpoints and notifications refuse data. */
    CHECK_ILLEGAL(
        seL4_CNode_Rotate(ROOT, slot_new(), DEPTH, 5, ROOT, a, DEPTH, 0, ROOT, c1, DEPTH));
    CHECK_ILLEGAL(
        seL4_CNode_Rotate(ROOT, slot_new(), DEPTH, 0, ROOT, c1, DEPTH, 5, ROOT, b, DEPTH));
    CHECK_EQ(cap_tag(a), TAG_ENDPOINT);
    CHECK_EQ(cap_tag(b), TAG_NOTIFICATION);
}

/* Rights can be taken away, never added. */
static void rights(void)
{
    seL4_CPtr notification = object_new(seL4_NotificationObject, 0);
    seL4_CPtr readable = cap_copy(notification, seL4_CanRead);
    seL4_CPtr none = cap_copy(readable, seL4_CanWrite);
    seL4_CPtr writable = cap_copy(notification, seL4_CanWrite);
    seL4_CPtr not_more = cap_copy(readable, seL4_AllRights);

    CHECK_EQ(badge_of(readable, notification), 0);
    /* A signal without write right is nothing. */
    seL4_CPtr badged = cap_mint(notification, seL4_CanRead, 4);

    CHECK_EQ(badge_of(badged, notification), 0);
    badged = cap_mint(notification, seL4_CanWrite, 4);
    CHECK_EQ(badge_of(badged, notification), 4);
    badged = cap_mint(notification, seL4_NoWrite, 4);
    CHECK_EQ(badge_of(badged, notification), 0);
    CHECK_EQ(cap_tag(none), TAG_NOTIFICATION);
    CHECK_EQ(cap_tag(writable), TAG_NOTIFICATION);
    CHECK_EQ(cap_tag(not_more), TAG_NOTIFICATION);
    /* Read right is what binding asks for. */
    CHECK_ILLEGAL(seL4_TCB_BindNotification(object_new(seL4_TCBObject, 0), writable));
    CHECK_OK(seL4_TCB_BindNotification(object_new(seL4_TCBObject, 0), not_more));
}

/* What cannot be copied. */
static void uncopyable(void)
{
    seL4_CPtr to = slot_new();
    static const seL4_Word types[] = { seL4_X86_PageTableObject, seL4_X86_PageDirectoryObject,
                                       seL4_X86_PDPTObject, seL4_X64_PML4Object };

    CHECK_ILLEGAL(copy(to, seL4_CapIRQControl));
    CHECK_ILLEGAL(copy(to, seL4_CapIOPortControl));
    CHECK_ILLEGAL(
        seL4_CNode_Mint(ROOT, to, DEPTH, ROOT, seL4_CapIRQControl, DEPTH, seL4_AllRights, 1));
    for (unsigned i = 0; i < ARRAY_LENGTH(types); i++)
        CHECK_ILLEGAL(copy(to, object_new(types[i], 0)));
    /* Mapped ones can. */
    CHECK_OK(copy(to, seL4_CapInitThreadVSpace));
    CHECK_OK(copy(slot_new(), boot->userImagePaging.start));
    CHECK_OK(copy(slot_new(), seL4_CapASIDControl));
    CHECK_OK(copy(slot_new(), seL4_CapInitThreadASIDPool));
    CHECK_OK(copy(slot_new(), seL4_CapDomain));
    CHECK_OK(copy(slot_new(), boot->schedcontrol.start));
    CHECK_OK(copy(slot_new(), object_new(seL4_SchedContextObject, 7)));
    CHECK_OK(copy(slot_new(), object_new(seL4_ReplyObject, 0)));
    CHECK_OK(copy(slot_new(), object_new(seL4_TCBObject, 0)));
    CHECK_OK(copy(slot_new(), object_new(seL4_CapTableObject, 3)));
    /* All of them can be moved. */
    seL4_CPtr table = object_new(seL4_X86_PageTableObject, 0);

    CHECK_OK(seL4_CNode_Move(ROOT, slot_new(), DEPTH, ROOT, table, DEPTH));
}

/* Revoking takes what was derived, and that only. */
static void revoke(void)
{
    seL4_CPtr original = endpoint_new();
    seL4_CPtr plain = cap_copy(original, seL4_AllRights);
    seL4_CPtr badged = cap_mint(original, seL4_AllRights, 7);
    seL4_CPtr badged_copy = cap_copy(badged, seL4_AllRights);
    seL4_CPtr other = cap_mint(original, seL4_AllRights, 8);

    /* A copy of an endpoint capability has no children of its own. */
    CHECK_OK(cap_revoke(plain));
    CHECK_EQ(cap_tag(original), TAG_ENDPOINT);
    CHECK_EQ(cap_tag(badged), TAG_ENDPOINT);
    /* The first with a badge is parent of its copies. */
    CHECK_OK(cap_revoke(badged));
    CHECK_EQ(cap_tag(badged_copy), TAG_NULL);
    CHECK_EQ(cap_tag(badged), TAG_ENDPOINT);
    CHECK_EQ(cap_tag(other), TAG_ENDPOINT);
    CHECK_OK(cap_revoke(original));
    CHECK_EQ(cap_tag(plain), TAG_NULL);
    CHECK_EQ(cap_tag(badged), TAG_NULL);
    CHECK_EQ(cap_tag(other), TAG_NULL);
    CHECK_EQ(cap_tag(original), TAG_ENDPOINT);
}

/* Deleting a CNode deletes what is in it, also CNodes within it and itself in itself. */
static void nested_cnodes(void)
{
    seL4_CPtr outer = object_new(seL4_CapTableObject, 6);
    seL4_CPtr inner = object_new(seL4_CapTableObject, 6);
    seL4_CPtr untyped = object_new(seL4_UntypedObject, 12);

    for (seL4_Word i = 0; i < 60; i++)
        REQUIRE_OK(seL4_Untyped_Retype(untyped, seL4_EndpointObject, 0, inner, 0, 0, i, 1));
    REQUIRE_OK(seL4_CNode_Move(outer, 5, 6, ROOT, inner, DEPTH));
    REQUIRE_OK(seL4_CNode_Copy(outer, 6, 6, ROOT, outer, DEPTH, seL4_AllRights));
    /*
     * A slot of itself that holds the CNode: still a second capability elsewhere, so nothing is
     * emptied.
     */
    CHECK_OK(seL4_CNode_Delete(outer, 6, 6));
    REQUIRE_OK(seL4_CNode_Copy(outer, 6, 6, ROOT, outer, DEPTH, seL4_AllRights));
    /* Through the inner one its own CNode: 5 of outer, then slot 61. */
    REQUIRE_OK(seL4_CNode_Copy(outer, 5 << 6 | 61, 12, outer, 5, 6, seL4_AllRights));
    CHECK_OK(cap_delete(outer));
    CHECK_EQ(cap_tag(outer), TAG_NULL);
    CHECK_OK(cap_revoke(untyped));
    /* All its memory is free again. */
    CHECK_OK(retype(untyped, seL4_UntypedObject, 12, slot_new(), 1));
}

static void cancel_badged_sends_checks(void)
{
    seL4_CPtr endpoint = endpoint_new();

    CHECK_ILLEGAL(seL4_CNode_CancelBadgedSends(ROOT, object_new(seL4_TCBObject, 0), DEPTH));
    CHECK_ILLEGAL(
        seL4_CNode_CancelBadgedSends(ROOT, object_new(seL4_NotificationObject, 0), DEPTH));
    CHECK_ILLEGAL(seL4_CNode_CancelBadgedSends(ROOT, slot_new(), DEPTH));
    CHECK_ILLEGAL(seL4_CNode_CancelBadgedSends(ROOT, cap_mint(endpoint, seL4_NoWrite, 1), DEPTH));
    CHECK_ILLEGAL(seL4_CNode_CancelBadgedSends(ROOT, cap_mint(endpoint, seL4_ReadWrite, 1), DEPTH));
    CHECK_OK(seL4_CNode_CancelBadgedSends(ROOT, endpoint, DEPTH));
    CHECK_OK(seL4_CNode_CancelBadgedSends(ROOT, cap_mint(endpoint, seL4_AllRights, 1), DEPTH));
    CHECK_RANGE(seL4_CNode_CancelBadgedSends(ROOT, endpoint, 0), 1, 64);
}

TEST_SUITE(cnode, { "depths", depths }, { "resolution", resolution }, { "precedence", precedence },
           { "short messages", short_messages }, { "move and delete", move_and_delete },
           { "badges", badges }, { "guards", guards }, { "rotate", rotate }, { "rights", rights },
           { "uncopyable", uncopyable }, { "revoke", revoke }, { "nested cnodes", nested_cnodes },
           { "cancel badged sends", cancel_badged_sends_checks });
