/* libnub: run an ELF guest in a KVM virtual machine. This is the library's public face.
 *
 * How to use it:
 *
 *     struct nub_error err = { 0 };
 *     struct nub_image *image = nub_image_parse(bytes, size, "hello.elf", &err);    // pure: no fd, no KVM
 *     struct nub_config config = nub_config_default();
 *     struct nub_sandbox *sandbox = nub_sandbox_create(&config, image, &err);       // memory, VM, vCPU
 *     struct nub_outcome outcome;
 *     if (nub_sandbox_run_main(sandbox, argc, argv, &outcome, &err) == 0) ...       // or nub_sandbox_call()
 *     nub_sandbox_free(sandbox);
 *     nub_image_free(image);
 *
 * The library never prints and never exits. It keeps no globals: a process may have many sandboxes, each used by one
 * thread at a time. Functions that can fail return 0 or -1, or a pointer or NULL, and fill the struct nub_error that
 * they take last. Sizes are bytes, times are nanoseconds, gpa and gva are guest-physical and guest-virtual addresses.
 *
 * Each header in nub/ has one subject, and opens with how to use it and who owns what.
 */
#ifndef NUB_H
#define NUB_H

#include "nub/backtrace.h"
#include "nub/config.h"
#include "nub/confine.h"
#include "nub/debug.h"
#include "nub/dump.h"
#include "nub/error.h"
#include "nub/host.h"
#include "nub/image.h"
#include "nub/outcome.h"
#include "nub/program.h"
#include "nub/region.h"
#include "nub/sandbox.h"
#include "nub/snapshot.h"
#include "nub/value.h"
#include "nub/working_set.h"

#define NUB_VERSION "0.1.0"

#endif
