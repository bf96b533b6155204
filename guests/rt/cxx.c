/* What C++ without exceptions and RTTI calls: new and delete, guards of local statics, pure virtual functions. */
#include "rt.h"

/* By their mangled names; the array forms are the same. */
#define SAME_AS(name) __attribute__((alias(name)))
void *operator_new(size_t size) __asm__("_Znwm");
void *operator_new_array(size_t size) __asm__("_Znam") SAME_AS("_Znwm");
void *aligned_new(size_t size, size_t alignment) __asm__("_ZnwmSt11align_val_t");
void *aligned_new_array(size_t size, size_t alignment) __asm__("_ZnamSt11align_val_t") SAME_AS("_ZnwmSt11align_val_t");
void operator_delete(void *block) __asm__("_ZdlPv");
void operator_delete_array(void *block) __asm__("_ZdaPv") SAME_AS("_ZdlPv");
void sized_delete(void *block, size_t size) __asm__("_ZdlPvm");
void sized_delete_array(void *block, size_t size) __asm__("_ZdaPvm") SAME_AS("_ZdlPvm");
void aligned_delete(void *block, size_t alignment) __asm__("_ZdlPvSt11align_val_t") SAME_AS("_ZdlPvm");
void aligned_delete_array(void *block, size_t alignment) __asm__("_ZdaPvSt11align_val_t") SAME_AS("_ZdlPvm");
void both_delete(void *block, size_t size, size_t alignment) __asm__("_ZdlPvmSt11align_val_t");
void both_delete_array(void *block, size_t size, size_t alignment) __asm__("_ZdaPvmSt11align_val_t")
    SAME_AS("_ZdlPvmSt11align_val_t");
int __cxa_guard_acquire(uint64_t *guard);
void __cxa_guard_release(uint64_t *guard);
void __cxa_guard_abort(uint64_t *guard);
NUB_NORETURN void __cxa_pure_virtual(void);
NUB_NORETURN void __cxa_deleted_virtual(void);

/* Without exceptions there is no way to say no. */
static void *allocated(void *block, size_t size)
{
	if (!block)
		nub_abort("operator new: no heap for %zu bytes", size);
	return block;
}

void *operator_new(size_t size)
{
	return allocated(malloc(size), size);
}

void *aligned_new(size_t size, size_t alignment)
{
	return allocated(aligned_alloc(alignment, size), size);
}

void operator_delete(void *block)
{
	free(block);
}

void sized_delete(void *block, size_t size)
{
	(void)size;
	free(block);
}

void both_delete(void *block, size_t size, size_t alignment)
{
	(void)size;
	(void)alignment;
	free(block);
}

/* A guest has one thread: byte 0 of the guard says whether the object is made. */
int __cxa_guard_acquire(uint64_t *guard)
{
	return *(uint8_t *)guard == 0;
}

void __cxa_guard_release(uint64_t *guard)
{
	*(uint8_t *)guard = 1;
}

void __cxa_guard_abort(uint64_t *guard)
{
	*(uint8_t *)guard = 0;
}

void __cxa_pure_virtual(void)
{
	nub_abort("a pure virtual function was called");
}

void __cxa_deleted_virtual(void)
{
	nub_abort("a deleted virtual function was called");
}
