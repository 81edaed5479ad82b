/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queues of threads that wait for an endpoint or a notification: by priority, first come first
 * served within one.
 *
 * Threads of one priority form a run. The first of a run knows its last and the first of the next
 * run, so that finding a place costs at most one step for each priority, however many wait.
 *
 * Invariants
 *  I1  queue_next and queue_prev link all threads, priorities descending.
 *  I2  For the first thread of a run, run_last is its last and run_next the first of the next run,
 * or NULL. In all others both are meaningless. Locking: that of the object whose queue it is.
 */
#ifndef KERNEL_OBJECT_THREAD_QUEUE_H
#define KERNEL_OBJECT_THREAD_QUEUE_H

struct tcb;

struct thread_queue {
    struct tcb *head, *tail;
};

void thread_queue_insert(struct thread_queue *queue, struct tcb *tcb);
void thread_queue_remove(struct thread_queue *queue, struct tcb *tcb);
/*
 * The owner's search of a queue of senders is to go on at this thread, or, if that leaves, behind
 * it; NULL: it does not search.
 */
void thread_queue_set_cursor(struct tcb *owner, struct tcb *at);

#endif
