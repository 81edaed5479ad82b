/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IPC buffer: a variable of the program; or, in a program that defines SEL4_THREADS, each
 * thread's own. Such a thread's FS base is the address of its buffer from the start (init sees to
 * it), and the word userData in the buffer says so again, where a single instruction reads it.
 */
#ifndef SEL4_FUNCTIONS_H
#define SEL4_FUNCTIONS_H

#include "abi/types.h"

#ifdef SEL4_THREADS

static inline void seL4_SetIPCBuffer(seL4_IPCBuffer *ipc_buffer)
{
    ipc_buffer->userData = (seL4_Word)ipc_buffer;
}

static inline seL4_IPCBuffer *seL4_GetIPCBuffer(void)
{
    seL4_IPCBuffer *ipc_buffer;

    /* Not volatile: the same thread may be asked once for many uses. */
    __asm__("mov %%fs:%c1, %0"
            : "=r"(ipc_buffer)
            : "i"(__builtin_offsetof(seL4_IPCBuffer, userData)));
    return ipc_buffer;
}

#else

extern seL4_IPCBuffer *__sel4_ipc_buffer;

static inline void seL4_SetIPCBuffer(seL4_IPCBuffer *ipc_buffer)
{
    __sel4_ipc_buffer = ipc_buffer;
}

static inline seL4_IPCBuffer *seL4_GetIPCBuffer(void)
{
    return __sel4_ipc_buffer;
}

#endif

static inline seL4_Word seL4_GetMR(int i)
{
    return seL4_GetIPCBuffer()->msg[i];
}

static inline void seL4_SetMR(int i, seL4_Word word)
{
    seL4_GetIPCBuffer()->msg[i] = word;
}

static inline seL4_Word seL4_GetUserData(void)
{
    return seL4_GetIPCBuffer()->userData;
}

static inline void seL4_SetUserData(seL4_Word data)
{
    seL4_GetIPCBuffer()->userData = data;
}

static inline seL4_Word seL4_GetBadge(int i)
{
    return seL4_GetIPCBuffer()->caps_or_badges[i];
}

static inline seL4_CPtr seL4_GetCap(int i)
{
    return (seL4_CPtr)seL4_GetIPCBuffer()->caps_or_badges[i];
}

static inline void seL4_SetCap(int i, seL4_CPtr cptr)
{
    seL4_GetIPCBuffer()->caps_or_badges[i] = (seL4_Word)cptr;
}

static inline void seL4_SetTag(seL4_MessageInfo_t tag)
{
    seL4_GetIPCBuffer()->tag = tag;
}

static inline void seL4_GetCapReceivePath(seL4_CPtr *receiveCNode, seL4_CPtr *receiveIndex,
                                          seL4_Word *receiveDepth)
{
    const seL4_IPCBuffer *buffer = seL4_GetIPCBuffer();

    if (receiveCNode)
        *receiveCNode = buffer->receiveCNode;
    if (receiveIndex)
        *receiveIndex = buffer->receiveIndex;
    if (receiveDepth)
        *receiveDepth = buffer->receiveDepth;
}

static inline void seL4_SetCapReceivePath(seL4_CPtr receiveCNode, seL4_CPtr receiveIndex,
                                          seL4_Word receiveDepth)
{
    seL4_IPCBuffer *buffer = seL4_GetIPCBuffer();

    buffer->receiveCNode = receiveCNode;
    buffer->receiveIndex = receiveIndex;
    buffer->receiveDepth = receiveDepth;
}

/* --- used by the stubs ----------------------------------------------------------------------- */

/* The kernel leaves words 0 to 3 in registers; here they go where words are looked for. */
static inline void sel4_mirror_message(seL4_Word mr0, seL4_Word mr1, seL4_Word mr2, seL4_Word mr3)
{
    seL4_SetMR(0, mr0);
    seL4_SetMR(1, mr1);
    seL4_SetMR(2, mr2);
    seL4_SetMR(3, mr3);
}

/* Copies the words of an answer, at most room of them, to a structure. */
static inline void sel4_read_words(seL4_Word *to, seL4_Word length, seL4_Word room, seL4_Word mr0,
                                   seL4_Word mr1, seL4_Word mr2, seL4_Word mr3)
{
    const seL4_Word fast[seL4_FastMessageRegisters] = { mr0, mr1, mr2, mr3 };

    for (seL4_Word i = 0; i < length && i < room; i++)
        to[i] = i < seL4_FastMessageRegisters ? fast[i] : seL4_GetMR((int)i);
}

#endif
