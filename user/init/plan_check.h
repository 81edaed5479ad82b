/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules that a boot plan obeys. init checks them all before it creates anything; the host tool
 * checks its own plans with the same code. Pure.
 *
 * Rules      P1  slots are used up without gaps in the order of the tables, none twice
 *            P2  objects have known types with their sizes, never growing; there is no Untyped and
 *                no I/O page table among them
 *            P3  every name, offset, count and address stays within what it refers to
 *            P4  isolation: what a component's CNode holds, its address spaces map and its threads
 *                use belongs to that component. The only exceptions: a write-only endpoint
 *                of the supervisor's with the component's own badge, as a capability; the fault
 *                endpoint of a thread, with its fault badge; and what P8 and P12 allow.
 *            P5  no page is both writable and executable; image pages are never writable; mappings
 *                of one address space do not overlap
 *            P6  init keeps nothing
 *            P7  threads run below init's priority, and may not raise their own
 *            P8  channels: each has two different components as its ends, at least one of them a
 *                server, and one row of 4 KiB frames, the property of one end and part of no other
 *                channel. An end may map the frames into its monitor's or server's address space,
 *                never executable, and hold the right to signal the other end's notification, with
 *                the channel's badge and nothing but that right. The frames are nobody's IPC buffer
 *                and no guest's memory; the badges that one notification is signalled with share no
 *                bit.
 *            P9  only VMs have VCPUs and guest memory
 *            P10 physical addresses of frames are told to their owner, or, of a VM's, to a server
 *                that has a device, and a channel to that VM; one row of frames holds the addresses
 *                of one component only
 *            P11 a device has one owner, a component, which alone maps its registers
 *                (never executable, never as a guest's memory) and takes its interrupts
 *            P12 one component is the supervisor. It is told how the others end, and holds the
 *                threads of all VMs, which have lower priorities, to stop and start them. What it
 *                is signalled with cannot be taken for a message
 *
 * Errors     the first broken rule: which table, which row, what is wrong with it
 */
#ifndef USER_INIT_PLAN_CHECK_H
#define USER_INIT_PLAN_CHECK_H

#include "user/init/plan.h"

/* For a plan that plan_open() accepted. */
bool plan_check(const struct plan *plan, struct plan_problem *problem);

#endif
