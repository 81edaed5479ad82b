/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page-table walker in its three entry formats against a naive model, on random operations.
 * What the tables then mean is found by a second walker, written here from the manuals, that shares
 * no code with the kernel's.
 */
#include "tests/unit/kernel/memory_world.h"

#include "kernel/vspace/pt_ept.h"
#include "kernel/vspace/pt_host.h"
#include "kernel/vspace/pt_npt.h"

#define STEPS      60000
#define MAX_TABLES 64
#define MAX_LEAVES 512

/* What a translation gives, in words that all formats share. */
struct meaning {
    bool present;
    unsigned level;
    u64 frame;
    bool user, write, execute;
    unsigned memory;
};

/* --- the model ------------------------------------------------------------------------------- */

struct model_table {
    bool used;
    unsigned level; /* of the entry that names it */
    u64 base;
    hpa_t page;
};

struct model_leaf {
    bool used;
    unsigned level;
    u64 base;
    u64 frame;
    struct pt_access access;
};

static struct model_table tables[MAX_TABLES];
static struct model_leaf leaves[MAX_LEAVES];
static u64 *root;

static u64 span(unsigned level)
{
    return 1ULL << (12 + 9 * level);
}

static u64 down(u64 address, unsigned level)
{
    return address / span(level) * span(level);
}

static struct model_table *table_at(u64 address, unsigned level)
{
    for (unsigned i = 0; i < MAX_TABLES; i++) {
        if (tables[i].used && tables[i].level == level && tables[i].base == down(address, level))
            return &tables[i];
    }
    return NULL;
}

static struct model_leaf *leaf_at(u64 address, unsigned level)
{
    for (unsigned i = 0; i < MAX_LEAVES; i++) {
        if (leaves[i].used && leaves[i].level == level && leaves[i].base == down(address, level))
            return &leaves[i];
    }
    return NULL;
}

/* The first level, from the top, at which no table leads on; or level if all do. */
static unsigned first_stop(u64 address, unsigned level)
{
    unsigned at = 3;

    while (at > level && table_at(address, at))
        at--;
    return at;
}

static void forget_below(struct model_table *gone)
{
    u64 end = gone->base + span(gone->level);

    for (unsigned i = 0; i < MAX_LEAVES; i++) {
        if (leaves[i].used && leaves[i].level < gone->level && leaves[i].base >= gone->base &&
            leaves[i].base < end)
            leaves[i].used = false;
    }
    for (unsigned i = 0; i < MAX_TABLES; i++) {
        if (tables[i].used && tables[i].level < gone->level && tables[i].base >= gone->base &&
            tables[i].base < end) {
            tables[i].used = false;
            memset(world_table(tables[i].page), 0, PAGE_SIZE);
        }
    }
    gone->used = false;
    memset(world_table(gone->page), 0, PAGE_SIZE);
}

static struct meaning model_meaning(u64 address)
{
    for (unsigned level = 0; level < 3; level++) {
        struct model_leaf *leaf = leaf_at(address, level);

        if (leaf && first_stop(address, level) == level)
            return (struct meaning){ true,
                                     level,
                                     leaf->frame,
                                     leaf->access.user,
                                     leaf->access.write,
                                     leaf->access.execute,
                                     leaf->access.memory };
    }
    return (struct meaning){ 0 };
}

/* --- the second walker ----------------------------------------------------------------------- */

static struct meaning decode_host(u64 e, unsigned level)
{
    unsigned pat = level ? (unsigned)(e >> 12 & 1) : (unsigned)(e >> 7 & 1);

    return (struct meaning){ true,
                             level,
                             (e & 0x000ffffffffff000ULL) / span(level) * span(level),
                             e >> 2 & 1,
                             e >> 1 & 1,
                             !(e >> 63),
                             (unsigned)(e >> 3 & 3) | pat << 2 };
}

static struct meaning walk_host(u64 address)
{
    const u64 *table = root;

    for (unsigned level = 3;; level--) {
        u64 e = table[address >> (12 + 9 * level) & 511];

        if (!(e & 1))
            return (struct meaning){ 0 };
        if (level == 0 || (level < 3 && (e & 0x80)))
            return decode_host(e, level);
        /* Tables give every right; reserved and ignored bits are clear. */
        assert_int_equal(e & ~0x000ffffffffff000ULL, 0x27);
        table = world_table(hpa(e & 0x000ffffffffff000ULL));
    }
}

/* AMD: the same entries; memory through the PAT's WB, WT, UC-, UC, WC. */
static struct meaning walk_npt(u64 address)
{
    static const unsigned ept_of_pat[8] = { 6, 4, 0, 0, 1, 99, 99, 99 };
    struct meaning meaning = walk_host(address);

    if (meaning.present) {
        assert_true(meaning.user); /* every guest access is a user's */
        meaning.memory = ept_of_pat[meaning.memory];
    }
    return meaning;
}

static struct meaning walk_ept(u64 address)
{
    const u64 *table = root;

    for (unsigned level = 3;; level--) {
        u64 e = table[address >> (12 + 9 * level) & 511];

        if (!(e & 7))
            return (struct meaning){ 0 };
        if (level == 0 || (level < 3 && (e & 0x80))) {
            assert_int_equal(e & 0x40, 0);  /* the guest's PAT counts */
            assert_int_not_equal(e & 3, 2); /* write without read: misconfiguration */
            assert_int_equal(e >> 52, 0);
            return (struct meaning){ true,
                                     level,
                                     (e & 0x000ffffffffff000ULL) / span(level) * span(level),
                                     e & 1,
                                     e >> 1 & 1,
                                     e >> 2 & 1,
                                     (unsigned)(e >> 3 & 7) };
        }
        assert_int_equal(e & ~0x000ffffffffff000ULL, 7);
        table = world_table(hpa(e & 0x000ffffffffff000ULL));
    }
}

/* --- random operations ----------------------------------------------------------------------- */

struct format_under_test {
    u64 (*leaf)(unsigned level, hpa_t frame, struct pt_access access);
    u64 (*table)(hpa_t table);
    struct meaning (*walk)(u64 address);
    bool is_nested;
};

static const struct format_under_test host_format = { pt_host_leaf, pt_host_table, walk_host,
                                                      false };
static const struct format_under_test ept_format = { pt_ept_leaf, pt_ept_table, walk_ept, true };
static const struct format_under_test npt_format = { pt_npt_leaf, pt_host_table, walk_npt, true };

/* Few distinct indices on each level, so that operations meet; ends of tables among them. */
static u64 random_address(void)
{
    static const u64 index[] = { 0, 1, 255, 511 };
    u64 address = world_below(4096);

    for (unsigned level = 0; level < 4; level++)
        address |= index[world_below(4)] << (12 + 9 * level);
    return address & MASK(48);
}

static struct pt_access random_access(bool nested)
{
    static const u8 types[] = { 0, 1, 4, 6 };

    return (struct pt_access){
        .user = nested || world_below(4),
        .write = world_below(2),
        .execute = world_below(2),
        .memory = nested ? types[world_below(4)] : (u8)world_below(8),
    };
}

static u64 random_frame(unsigned level)
{
    return down(world_random() & MASK(47), level);
}

static void do_map_leaf(const struct format_under_test *format)
{
    u64 address = random_address();
    unsigned level = world_below(3), stop = first_stop(address, level);
    struct pt_access access = random_access(format->is_nested);
    u64 frame = random_frame(level);
    bool may_replace = world_below(2);
    struct model_leaf *old = leaf_at(address, level);
    struct pt_result result = pt_map(root, down(address, level), level,
                                     format->leaf(level, hpa(frame), access), may_replace);

    if (stop != level) {
        assert_int_equal(result.status, PT_MISSING);
        assert_int_equal(result.missing_bits, 12 + 9 * stop);
        return;
    }
    if (table_at(address, level) || (old && !may_replace)) {
        /* A 4 KiB entry is never a table. */
        assert_int_equal(result.status, PT_BUSY);
        return;
    }
    assert_int_equal(result.status, old ? PT_REPLACED : PT_MAPPED);
    for (unsigned i = 0; !old && i < MAX_LEAVES; i++) {
        if (!leaves[i].used)
            old = &leaves[i];
    }
    assert_non_null(old);
    *old = (struct model_leaf){ true, level, down(address, level), frame, access };
}

static void do_map_table(const struct format_under_test *format)
{
    u64 address = random_address();
    unsigned level = 1 + world_below(3), stop = first_stop(address, level);
    struct model_table *table = &tables[world_below(MAX_TABLES)];

    if (table->used)
        return;

    struct pt_result result = pt_map(root, address, level, format->table(table->page), false);

    if (stop != level) {
        assert_int_equal(result.status, PT_MISSING);
        assert_int_equal(result.missing_bits, 12 + 9 * stop);
        return;
    }
    if (table_at(address, level) || leaf_at(address, level)) {
        assert_int_equal(result.status, PT_BUSY);
        return;
    }
    assert_int_equal(result.status, PT_MAPPED);
    table->used = true;
    table->level = level;
    table->base = down(address, level);
}

static void do_unmap_leaf(void)
{
    struct model_leaf *leaf = &leaves[world_below(MAX_LEAVES)];
    u64 address = leaf->used ? leaf->base : random_address();
    unsigned level = leaf->used ? leaf->level : world_below(3);
    u64 frame = leaf->used ? leaf->frame : random_frame(level);
    bool wrong = world_below(4) == 0;

    if (wrong)
        frame ^= span(level);

    bool expected = leaf->used && !wrong && first_stop(address, level) == level;

    assert_int_equal(pt_unmap(root, address, level, true, hpa(frame)), expected);
    if (expected)
        leaf->used = false;
}

static void do_unmap_table(void)
{
    struct model_table *table = &tables[world_below(MAX_TABLES)];
    u64 address = table->used ? table->base : random_address();
    unsigned level = table->used ? table->level : 1 + world_below(3);
    bool wrong = world_below(4) == 0;
    hpa_t page = wrong ? world_page(0) : table->page;
    bool expected = table->used && !wrong;

    assert_int_equal(pt_unmap(root, address, level, false, page), expected);
    if (expected)
        forget_below(table);
}

static void check_address(const struct format_under_test *format, u64 address)
{
    struct meaning expected = model_meaning(address), got = format->walk(address);

    assert_int_equal(got.present, expected.present);
    if (!got.present)
        return;
    assert_int_equal(got.level, expected.level);
    assert_int_equal(got.frame, expected.frame);
    assert_int_equal(got.user, expected.user);
    assert_int_equal(got.write, expected.write);
    assert_int_equal(got.execute, expected.execute);
    assert_int_equal(got.memory, expected.memory);
}

static void check_all(const struct format_under_test *format)
{
    for (unsigned i = 0; i < MAX_LEAVES; i++) {
        if (leaves[i].used) {
            check_address(format, leaves[i].base);
            check_address(format, leaves[i].base + span(leaves[i].level) - 1);
        }
    }
}

static void run(const struct format_under_test *format)
{
    memset(tables, 0, sizeof(tables));
    memset(leaves, 0, sizeof(leaves));
    root = world_table(world_page(1));
    for (unsigned i = 0; i < MAX_TABLES; i++)
        tables[i].page = world_page(2 + i);
    world_seed(1);

    for (unsigned step = 0; step < STEPS; step++) {
        switch (world_below(8)) {
        case 0:
        case 1:
        case 2:
            do_map_leaf(format);
            break;
        case 3:
        case 4:
            do_map_table(format);
            break;
        case 5:
        case 6:
            do_unmap_leaf();
            break;
        default:
            if (world_below(4) == 0)
                do_unmap_table();
        }
        check_address(format, random_address());
        if (step % 512 == 0)
            check_all(format);
    }
}

static void test_host(void **state)
{
    (void)state;
    run(&host_format);
}

static void test_ept(void **state)
{
    (void)state;
    run(&ept_format);
}

static void test_npt(void **state)
{
    (void)state;
    run(&npt_format);
}

/* A dirty read-only leaf would be a shadow stack. */
static void test_no_shadow_stack(void **state)
{
    struct pt_access access = { .user = true, .execute = true };

    (void)state;
    for (unsigned level = 0; level < 3; level++)
        assert_int_equal(pt_host_leaf(level, hpa(0), access) & PT_HOST_D, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_host, world_reset),
        cmocka_unit_test_setup(test_ept, world_reset),
        cmocka_unit_test_setup(test_npt, world_reset),
        cmocka_unit_test(test_no_shadow_stack),
    };

    return cmocka_run_group_tests_name("walker", tests, NULL, NULL);
}
