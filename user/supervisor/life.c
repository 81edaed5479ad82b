/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/supervisor/life.h"

#include "lib/format.h"

#define LINE_BYTES 200u

static void say(const struct lives *lives, unsigned vm, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(const struct lives *lives, unsigned vm, const char *format, ...)
{
    char line[LINE_BYTES];
    int length = format_text(line, sizeof(line), "vm '%.31s': ", lives->config->vms[vm].name);
    va_list arguments;

    va_start(arguments, format);
    format_text_v(line + length, sizeof(line) - (unsigned)length, format, arguments);
    va_end(arguments);
    life_say(line);
}

/* What was asked for, or expected. */
static bool is_quiet(const struct lives *lives)
{
    return lives->config->log == SERVER_LOG_PROBLEMS;
}

static void enter(struct lives *lives, unsigned vm, enum control_state state)
{
    lives->vms[vm].state = state;
    life_show(vm, &lives->vms[vm]);
}

static bool has_run(const struct life *life)
{
    return life->state == CONTROL_RUNNING || life->state == CONTROL_PAUSED;
}

void lives_init(struct lives *lives, const struct supervisor_config *config, uint64_t now)
{
    *lives = (struct lives){ .config = config };
    for (unsigned vm = 0; vm < config->nr_vms; vm++) {
        lives->vms[vm].runs = 1;
        lives->vms[vm].begun = now;
        enter(lives, vm, CONTROL_RUNNING);
    }
}

/* --- the end of a run ----------------------------------------------------------------------------
 */

static void end(struct lives *lives, unsigned vm, enum life_next next)
{
    struct life *life = &lives->vms[vm];

    life_stop_threads(vm);
    life->text[0] = '\0';
    life->next = next;
    life_ask_resets(vm);
    enter(lives, vm, CONTROL_ENDING);
}

void lives_ended(struct lives *lives, unsigned vm, enum outcome outcome, const char *text,
                 uint64_t now)
{
    struct life *life = &lives->vms[vm];

    if (!has_run(life)) {
        return;
    }
    if (now - life->begun >= LIFE_STEADY_MS * 1000ull) {
        life->failures = 0;
    }
    end(lives, vm, LIFE_BY_POLICY);
    life->outcome = outcome;
    format_text(life->text, sizeof(life->text), "%s", text);
}

static void start_after(struct lives *lives, unsigned vm, uint64_t delay_us, uint64_t now)
{
    struct life *life = &lives->vms[vm];
    uint64_t spaced = life->begun + LIFE_SPACING_MS * 1000ull;

    life->start_at = now + delay_us > spaced ? now + delay_us : spaced;
    enter(lives, vm, CONTROL_WAITING);
}

static void after_failure(struct lives *lives, unsigned vm, uint64_t now)
{
    const struct supervisor_vm *config = &lives->config->vms[vm];
    struct life *life = &lives->vms[vm];
    uint32_t doublings = life->failures < LIFE_DOUBLINGS ? life->failures : LIFE_DOUBLINGS;
    uint64_t delay_us = config->delay_us << doublings;

    if (config->restart == SUPERVISOR_NEVER) {
        enter(lives, vm, CONTROL_FAILED);
        return;
    }
    life->failures++;
    if (life->failures > config->limit) {
        say(lives, vm, "given up after %u failures in a row", life->failures);
        enter(lives, vm, CONTROL_FAILED);
        return;
    }
    say(lives, vm, "will be started again in %llu ms (failure %u in a row, %u are allowed)",
        (unsigned long long)(delay_us / 1000), life->failures, config->limit);
    start_after(lives, vm, delay_us, now);
}

static void decide(struct lives *lives, unsigned vm, uint64_t now)
{
    const struct supervisor_vm *config = &lives->config->vms[vm];

    switch (lives->vms[vm].outcome) {
    case OUTCOME_REBOOT:
        start_after(lives, vm, 0, now);
        break;
    case OUTCOME_POWEROFF:
        if (config->restart == SUPERVISOR_ALWAYS) {
            start_after(lives, vm, config->delay_us, now);
        } else {
            enter(lives, vm, CONTROL_ENDED);
        }
        break;
    case OUTCOME_REFUSED:
        enter(lives, vm, CONTROL_FAILED);
        break;
    case OUTCOME_FAILURE:
        after_failure(lives, vm, now);
        break;
    }
}

static void finish(struct lives *lives, unsigned vm, enum life_resets resets, uint64_t now)
{
    struct life *life = &lives->vms[vm];

    if (life->text[0] != '\0' && !(is_quiet(lives) && life->outcome <= OUTCOME_REBOOT)) {
        say(lives, vm, "%s", life->text);
    }
    if (resets == LIFE_RESETS_NEVER) {
        say(lives, vm, "cannot be started any more: a server of it has stopped");
        enter(lives, vm, CONTROL_FAILED);
        return;
    }
    switch (life->next) {
    case LIFE_STOP:
        say(lives, vm, "stopped");
        enter(lives, vm, CONTROL_STOPPED);
        break;
    case LIFE_RESTART:
        start_after(lives, vm, 0, now);
        break;
    case LIFE_BY_POLICY:
        decide(lives, vm, now);
        break;
    }
}

static void start(struct lives *lives, unsigned vm, uint64_t now)
{
    struct life *life = &lives->vms[vm];

    life->runs++;
    life->begun = now;
    if (!is_quiet(lives)) {
        say(lives, vm, "starting, run %u", life->runs);
    }
    if (life_start_threads(vm)) {
        enter(lives, vm, CONTROL_RUNNING);
    } else {
        say(lives, vm, "the kernel refuses to start its threads");
        enter(lives, vm, CONTROL_FAILED);
    }
}

void lives_tick(struct lives *lives, uint64_t now)
{
    for (unsigned vm = 0; vm < lives->config->nr_vms; vm++) {
        struct life *life = &lives->vms[vm];

        if (life->state == CONTROL_ENDING) {
            enum life_resets resets = life_resets(vm);

            if (resets != LIFE_RESETS_PENDING) {
                finish(lives, vm, resets, now);
            }
        }
        if (life->state == CONTROL_WAITING && now >= life->start_at) {
            start(lives, vm, now);
        }
    }
}

bool lives_wait_for_time(const struct lives *lives)
{
    for (unsigned vm = 0; vm < lives->config->nr_vms; vm++) {
        if (lives->vms[vm].state == CONTROL_WAITING) {
            return true;
        }
    }
    return false;
}

bool lives_are_over(const struct lives *lives)
{
    for (unsigned vm = 0; vm < lives->config->nr_vms; vm++) {
        enum control_state state = lives->vms[vm].state;

        if (state != CONTROL_ENDED && state != CONTROL_STOPPED && state != CONTROL_FAILED) {
            return false;
        }
    }
    return true;
}

/* --- commands ------------------------------------------------------------------------------------
 */

static void pause(struct lives *lives, unsigned vm)
{
    if (lives->vms[vm].state != CONTROL_RUNNING) {
        say(lives, vm, "does not run");
        return;
    }
    life_stop_threads(vm);
    enter(lives, vm, CONTROL_PAUSED);
    say(lives, vm, "paused");
}

static void resume(struct lives *lives, unsigned vm)
{
    if (lives->vms[vm].state != CONTROL_PAUSED) {
        say(lives, vm, "is not paused");
        return;
    }
    enter(lives, vm, CONTROL_RUNNING);
    say(lives, vm, "goes on");
    life_resume_threads(vm);
}

/* Also one that is off: what came into its channels meanwhile is not for its next run. */
static void restart(struct lives *lives, unsigned vm)
{
    struct life *life = &lives->vms[vm];

    life->failures = 0;
    if (life->state == CONTROL_ENDING) {
        life->next = LIFE_RESTART;
    } else {
        end(lives, vm, LIFE_RESTART);
    }
}

static void stop(struct lives *lives, unsigned vm)
{
    struct life *life = &lives->vms[vm];

    if (has_run(life)) {
        end(lives, vm, LIFE_STOP);
    } else if (life->state == CONTROL_ENDING) {
        life->next = LIFE_STOP;
    } else if (life->state == CONTROL_WAITING) {
        say(lives, vm, "stopped");
        enter(lives, vm, CONTROL_STOPPED);
    } else {
        say(lives, vm, "does not run");
    }
}

void lives_command(struct lives *lives, unsigned vm, uint32_t command)
{
    switch (command) {
    case CONTROL_PAUSE:
        pause(lives, vm);
        break;
    case CONTROL_RESUME:
        resume(lives, vm);
        break;
    case CONTROL_RESTART:
        restart(lives, vm);
        break;
    case CONTROL_STOP:
        stop(lives, vm);
        break;
    default:
        break;
    }
}
