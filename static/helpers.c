// SPDX-License-Identifier: GPL-2.0
/* The C helpers of what is taken of the `kernel` crate, and what older kernels lack for them. */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/stdarg.h>
#include <linux/vmalloc.h>

/* As bindgen sees it the constants would be there twice. */
char *rust_fmt_argument(char *buf, char *end, const void *ptr);

#define __rust_helper

#ifndef krealloc_node_align
/* Nothing that is allocated here asks for more than kmalloc()'s own alignment. */
#define krealloc_node_align(p, size, align, flags, node) \
	({ (void)(align); (void)(node); krealloc(p, size, flags); })
#define kvrealloc_node_align(p, size, align, flags, node) \
	({ (void)(align); (void)(node); kvrealloc(p, size, flags); })
/* vrealloc() is not exported there: nobody asks for memory of vmalloc() alone. */
#define vrealloc_node_align(p, size, align, flags, node) \
	({ (void)(p); (void)(size); (void)(align); (void)(flags); (void)(node); (void *)NULL; })
#endif

#include "helpers/atomic.c"
#include "helpers/atomic_ext.c"
#include "helpers/barrier.c"
#include "helpers/bug.c"
#include "helpers/build_assert.c"
#include "helpers/build_bug.c"
#include "helpers/err.c"
#include "helpers/mutex.c"
#include "helpers/page.c"
#include "helpers/rcu.c"
#include "helpers/refcount.c"
#include "helpers/slab.c"
#include "helpers/spinlock.c"
#include "helpers/sync.c"
#include "helpers/vmalloc.c"

/*
 * print.rs gives a format that only kernels with CONFIG_RUST know, the name of
 * who prints unless it goes on with a line, and what is to be printed. A line
 * of this module is shorter than the buffer.
 */
int rust_helper__printk(const char *format, ...)
{
	bool goes_on = format[1] == KERN_CONT[1];
	const char *name = "";
	char text[256], *end;
	const void *what;
	va_list list;

	va_start(list, format);
	if (!goes_on)
		name = va_arg(list, const char *);
	what = va_arg(list, const void *);
	va_end(list);
	end = rust_fmt_argument(text, text + sizeof(text) - 1, what);
	*min(end, text + sizeof(text) - 1) = '\0';
	return _printk("%.2s%s%s%s", format, name, goes_on ? "" : ": ", text);
}
