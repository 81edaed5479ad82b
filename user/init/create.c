/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a plan slot can hold first-hand: retyped objects and copies of image frames. devices.c has
 * the rest.
 */
#include "user/init/boot.h"
#include "user/init/failure.h"

static void create_batches(struct boot *boot, const struct plan_object *object)
{
    const char *name = plan_name(&boot->plan, object->name);
    uint32_t done = 0;

    while (done < object->count) {
        seL4_CPtr untyped = seL4_CapNull;
        uint32_t batch =
            memory_take(&boot->memory, object->size_bits, object->count - done, &untyped);
        seL4_Word user_size = object->type == seL4_CapTableObject
                                  ? object->size_bits - seL4_SlotBits
                                  : object->size_bits;

        if (batch == 0) {
            stop("not enough memory: %u of %u objects '%s' of 2^%u bytes do not fit",
                 object->count - done, object->count, name, object->size_bits);
        }
        require(seL4_Untyped_Retype(untyped, object->type, user_size, seL4_CapInitThreadCNode, 0, 0,
                                    boot_cap(boot, object->slot + done), batch),
                "create", name, done);
        done += batch;
    }
}

/* Address spaces can be used only once they have an address space number. */
static void assign_asids(const struct boot *boot, const struct plan_object *object)
{
    if (object->type != seL4_X64_PML4Object && object->type != seL4_X86_EPTPML4Object) {
        return;
    }
    for (uint32_t i = 0; i < object->count; i++) {
        require(
            seL4_X86_ASIDPool_Assign(seL4_CapInitThreadASIDPool, boot_cap(boot, object->slot + i)),
            "assign an ASID to", plan_name(&boot->plan, object->name), i);
    }
}

void create_objects(struct boot *boot)
{
    for (uint32_t i = 0; i < boot->plan.nr_objects; i++) {
        create_batches(boot, &boot->plan.objects[i]);
        assign_asids(boot, &boot->plan.objects[i]);
    }
}

void create_images(const struct boot *boot)
{
    for (uint32_t i = 0; i < boot->plan.nr_images; i++) {
        const struct plan_image *image = &boot->plan.images[i];
        seL4_CPtr first = boot->plan_frames + image->offset / PLAN_PAGE_BYTES;

        for (uint32_t page = 0; page < image->count; page++) {
            require(seL4_CNode_Copy(seL4_CapInitThreadCNode, boot_cap(boot, image->slot + page),
                                    seL4_WordBits, seL4_CapInitThreadCNode, first + page,
                                    seL4_WordBits, seL4_CanRead),
                    "copy image frames of", plan_name(&boot->plan, image->name), page);
        }
    }
}
