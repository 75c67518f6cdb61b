/* SPDX-License-Identifier: GPL-2.0 */
/* What the files that are taken of the `kernel` crate use of C. */
#ifndef MACLEARN_STATIC_BINDINGS_H
#define MACLEARN_STATIC_BINDINGS_H

#include <linux/blkdev.h>
#include <linux/err.h>
#include <linux/errname.h>
#include <linux/gfp.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/numa.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

/* Macros that bindgen does not see through. */
const size_t RUST_CONST_HELPER_ARCH_KMALLOC_MINALIGN = ARCH_KMALLOC_MINALIGN;
const size_t RUST_CONST_HELPER_PAGE_SIZE = PAGE_SIZE;
const gfp_t RUST_CONST_HELPER_GFP_ATOMIC = GFP_ATOMIC;
const gfp_t RUST_CONST_HELPER_GFP_KERNEL = GFP_KERNEL;
const gfp_t RUST_CONST_HELPER_GFP_KERNEL_ACCOUNT = GFP_KERNEL_ACCOUNT;
const gfp_t RUST_CONST_HELPER_GFP_NOWAIT = GFP_NOWAIT;
const gfp_t RUST_CONST_HELPER___GFP_ZERO = __GFP_ZERO;
const gfp_t RUST_CONST_HELPER___GFP_HIGHMEM = ___GFP_HIGHMEM;
const gfp_t RUST_CONST_HELPER___GFP_NOWARN = ___GFP_NOWARN;

/* Errors that older kernels lack, or have for some file systems only. */
#ifndef EFTYPE
#define EFTYPE		134
#endif
#ifndef EFSBADCRC
#define EFSBADCRC	EBADMSG
#endif
#ifndef EFSCORRUPTED
#define EFSCORRUPTED	EUCLEAN
#endif

/* Formats what Rust has to print: print.rs has it. */
char *rust_fmt_argument(char *buf, char *end, const void *ptr);

#endif /* MACLEARN_STATIC_BINDINGS_H */
